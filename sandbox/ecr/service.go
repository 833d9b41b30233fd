// Package ecr is the sandbox's Amazon ECR: a real OCI registry on loopback that has the declared repositories and no others,
// keeps tags as immutable as they are declared, and answers the SDK's calls about its images.
//
// The registry's protocol is go-containerregistry's. What ECR adds to it stands here: repositories that must be there before
// a push, immutable tags, lifecycle policies, and the time of a push. There is no IAM in the sandbox, so that anybody on
// this machine may push and pull, whatever the login, and a repository's policy is asked by nobody.
package ecr

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/penguinshop/delivery/sandbox/cache"
	"github.com/penguinshop/delivery/sandbox/clock"
	"github.com/penguinshop/delivery/sandbox/journal"
)

// Options say whose registry this is and where it keeps its bytes.
type Options struct {
	Region, Account string
	Clock           clock.Clock
	// Journal hears of what the registry leaves out; nil tells nobody.
	Journal *journal.Journal
	// Folder holds the layers, addressed by their content. Layers of earlier runs in it need not be pushed again; repositories,
	// tags and manifests are each run's own. Layers older than a week are removed when a service starts.
	Folder string
}

// Service is the registry of one account and region. Its operations have the shape of the SDK's client.
type Service struct {
	region, account string
	clock           clock.Clock
	journal         *journal.Journal
	protocol        http.Handler
	door            door

	mu           sync.Mutex
	repositories map[string]*repository
	uploads      map[string]*upload // by their identifiers
}

// repository is one declared repository and its images.
type repository struct {
	name, arn, url string
	immutable      bool
	scanOnPush     bool
	findings       []types.ImageScanFinding
	lifecycle      []lifecycleRule
	images         map[string]*image // by digest
}

// image is one pushed manifest.
type image struct {
	digest, mediaType string
	// artifact is the media type of its configuration, or the artifact's own.
	artifact string
	// subject is the digest of the image that it refers to; empty for an image itself.
	subject  string
	manifest []byte
	tags     []string
	size     int64
	pushed   time.Time
}

// New opens the registry on loopback; it has no repository yet. Close ends it. It takes the port that the folder's last
// registry had, if that is free, since podman knows by it which layers it has sent before and sends them no more.
func New(o Options) (*Service, error) {
	if err := os.MkdirAll(o.Folder, 0o700); err != nil {
		return nil, fmt.Errorf("make the registry's folder: %w", err)
	}
	cache.Forget(o.Folder, layerLife)
	s := &Service{
		region: o.Region, account: o.Account, clock: o.Clock, journal: o.Journal, repositories: map[string]*repository{}, uploads: map[string]*upload{},
		protocol: registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(true),
			registry.WithBlobHandler(registry.NewDiskBlobHandler(o.Folder))),
	}
	s.door.handler = http.HandlerFunc(s.serve)
	last := filepath.Join(o.Folder, "address")
	if address, err := os.ReadFile(last); err == nil && loopback.Match(address) {
		s.door.address = string(address)
		if s.door.open() == nil {
			return s, nil
		}
		s.door.address = ""
	}
	if err := s.door.open(); err != nil {
		return nil, err
	}
	if err := os.WriteFile(last, []byte(s.Host()), 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("note the registry's port: %w", err), s.Close())
	}
	return s, nil
}

// Host is host:port of the registry; it stays the same over Stop and Start.
func (s *Service) Host() string { return s.door.address }

// Stop makes the registry go away, as in an outage: nothing answers at its port. What it holds stays.
func (s *Service) Stop() error { return s.door.close() }

// Start ends an outage.
func (s *Service) Start() error { return s.door.open() }

// Close ends the registry.
func (s *Service) Close() error { return s.door.close() }

// Local is ref with a declared repository's URI (<account>.dkr.ecr.<region>.amazonaws.com/<name>) replaced by the one that
// is reached on this machine. Any other reference stays as it is.
func (s *Service) Local(ref string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.repositories {
		if rest, found := strings.CutPrefix(ref, r.url); found && (rest == "" || rest[0] == ':' || rest[0] == '@') {
			return s.Host() + "/" + r.name + rest
		}
	}
	return ref
}

// Declared is the opposite of Local: ref with this machine's address of a declared repository replaced by the repository's URI.
func (s *Service) Declared(ref string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.repositories {
		if rest, found := strings.CutPrefix(ref, s.Host()+"/"+r.name); found && (rest == "" || rest[0] == ':' || rest[0] == '@') {
			return r.url + rest
		}
	}
	return ref
}

func (s *Service) missing(name string) error {
	return &types.RepositoryNotFoundException{Message: new(s.missingText(name))}
}

func (s *Service) missingText(name string) string {
	return fmt.Sprintf("The repository with name '%s' does not exist in the registry with id '%s'", name, s.account)
}

var loopback = regexp.MustCompile(`^127\.0\.0\.1:[0-9]+$`)

// layerLife is how long a layer is kept after its last push.
const layerLife = 7 * 24 * time.Hour
