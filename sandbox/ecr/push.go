package ecr

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
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
	s.store(w, r, into, tag, digest, manifest)
}

// store has the protocol's handler keep a manifest, and notes the image. The tag is empty for a push by digest.
func (s *Service) store(w http.ResponseWriter, r *http.Request, into *repository, tag, digest string, manifest []byte) {
	holder := into.tagged(tag)
	if into.immutable && holder != nil && holder.digest != digest {
		refuse(w, http.StatusBadRequest, tagTaken, fmt.Sprintf("The image tag '%s' already exists in the '%s' repository and "+
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
		pushed = describe(manifest)
		pushed.digest, pushed.mediaType, pushed.pushed = digest, r.Header.Get("Content-Type"), s.clock.Now()
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

// remove takes an image and its tags out of the repository, and with it what refers to it, such as its bill of materials. The
// layers stay: others may have them too.
func (s *Service) remove(from *repository, i *image) {
	for _, target := range append([]string{i.digest}, i.tags...) {
		s.ask(http.MethodDelete, "/v2/"+from.name+"/manifests/"+target, "", nil)
	}
	delete(from.images, i.digest)
	for _, other := range from.images {
		if other.subject == i.digest {
			s.remove(from, other)
		}
	}
}

// describe reads what ECR tells of a manifest: the sum of layers and configuration as the size, 0 for an index; the kind of
// artifact; what it refers to.
func describe(manifest []byte) *image {
	i := &image{manifest: manifest}
	parsed, err := v1.ParseManifest(bytes.NewReader(manifest))
	if err != nil {
		return i
	}
	i.artifact = cmp.Or(parsed.ArtifactType, string(parsed.Config.MediaType))
	if parsed.Subject != nil {
		i.subject = parsed.Subject.Digest.String()
	}
	if len(parsed.Layers) == 0 {
		return i
	}
	i.size = parsed.Config.Size
	for _, layer := range parsed.Layers {
		i.size += layer.Size
	}
	return i
}

// protocolError is an error of the registry's protocol.
type protocolError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// tagTaken is the code by which ECR refuses to move an immutable tag.
const tagTaken = "TAG_INVALID"

// refuse answers with an error of the registry's protocol.
func refuse(w http.ResponseWriter, code int, reason, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]any{"errors": []protocolError{{reason, message}}})
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
