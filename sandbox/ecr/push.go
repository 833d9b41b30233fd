package ecr

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// mostManifest is ECR's limit of a manifest's size in bytes.
const mostManifest = 4 << 20

// route is what a request of the registry's protocol is about.
var route = regexp.MustCompile(`^/v2/(.+)/(blobs|manifests|tags|referrers)/(.*)$`)

// serve lets the protocol's handler answer, within ECR's rules.
func (s *Service) serve(w http.ResponseWriter, r *http.Request) {
	about := route.FindStringSubmatch(r.URL.Path)
	if about == nil {
		s.protocol.ServeHTTP(w, r)
		return
	}
	name, kind, target := about[1], about[2], about[3]
	s.mu.Lock()
	repository := s.repositories[name]
	if repository != nil {
		s.expire(repository)
	}
	s.mu.Unlock()
	switch {
	case repository == nil:
		refuse(w, http.StatusNotFound, "NAME_UNKNOWN", s.missingText(name))
	case r.Method == http.MethodDelete:
		refuse(w, http.StatusMethodNotAllowed, "UNSUPPORTED", "The operation is unsupported.")
	case kind == "manifests" && r.Method == http.MethodPut:
		s.putManifest(w, r, repository, target)
	default:
		s.protocol.ServeHTTP(w, r)
	}
}

// putManifest is the end of a push: from here on the image is there.
func (s *Service) putManifest(w http.ResponseWriter, r *http.Request, into *repository, target string) {
	manifest, err := io.ReadAll(io.LimitReader(r.Body, mostManifest+1))
	if err != nil || len(manifest) > mostManifest {
		refuse(w, http.StatusBadRequest, "MANIFEST_INVALID", "The manifest is larger than 4194304 bytes or did not arrive whole")
		return
	}
	digest := fmt.Sprintf("sha256:%x", sha256.Sum256(manifest))
	tag := target
	if strings.Contains(target, ":") {
		tag = ""
		if target != digest {
			refuse(w, http.StatusBadRequest, "DIGEST_INVALID", fmt.Sprintf("The manifest's digest is %s, not %s", digest, target))
			return
		}
	}
	r.Body = io.NopCloser(bytes.NewReader(manifest))

	s.mu.Lock()
	defer s.mu.Unlock()
	holder := into.tagged(tag)
	if into.immutable && holder != nil && holder.digest != digest {
		refuse(w, http.StatusBadRequest, "TAG_INVALID", fmt.Sprintf("The image tag '%s' already exists in the '%s' repository and "+
			"cannot be overwritten because the tag is immutable.", tag, into.name))
		return
	}
	answer := &status{ResponseWriter: w}
	s.protocol.ServeHTTP(answer, r)
	if answer.code != http.StatusCreated {
		return
	}
	pushed := into.images[digest]
	if pushed == nil {
		pushed = &image{digest: digest, manifest: manifest, mediaType: r.Header.Get("Content-Type"), size: sizeOf(manifest), pushed: s.clock.Now()}
		into.images[digest] = pushed
	}
	if tag == "" || holder == pushed {
		return
	}
	if holder != nil {
		holder.tags = slices.DeleteFunc(holder.tags, func(t string) bool { return t == tag })
	}
	pushed.tags = append(pushed.tags, tag)
}

// tagged is the image that has the tag, nil for none.
func (r *repository) tagged(tag string) *image {
	for _, i := range r.images {
		if slices.Contains(i.tags, tag) {
			return i
		}
	}
	return nil
}

// remove takes an image and its tags out of the repository. The layers stay: others may have them too.
func (s *Service) remove(from *repository, i *image) {
	for _, target := range append([]string{i.digest}, i.tags...) {
		r := httptest.NewRequest(http.MethodDelete, "/v2/"+from.name+"/manifests/"+target, nil)
		s.protocol.ServeHTTP(httptest.NewRecorder(), r)
	}
	delete(from.images, i.digest)
}

// sizeOf is the sum of an image's layers and configuration, which ECR gives as its size; 0 for an index.
func sizeOf(manifest []byte) int64 {
	parsed, err := v1.ParseManifest(bytes.NewReader(manifest))
	if err != nil || len(parsed.Layers) == 0 {
		return 0
	}
	size := parsed.Config.Size
	for _, layer := range parsed.Layers {
		size += layer.Size
	}
	return size
}

// refuse answers with an error of the registry's protocol.
func refuse(w http.ResponseWriter, code int, reason, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]any{"errors": []map[string]string{{"code": reason, "message": message}}})
}

// status remembers the code of an answer.
type status struct {
	http.ResponseWriter
	code int
}

func (s *status) WriteHeader(code int) {
	s.code = code
	s.ResponseWriter.WriteHeader(code)
}
