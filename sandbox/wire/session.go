package wire

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// Session is how to reach one running sandbox.
type Session struct {
	// Address is host:port on loopback.
	Address string `json:"address"`
	// Token opens the sandbox; it is made anew for each run and never printed.
	Token string `json:"token"`
	// PID is the sandbox's process.
	PID int `json:"pid"`
	// Region is the AWS region that the sandbox's stacks declare.
	Region string `json:"region"`
	// Directory is the project that it delivers.
	Directory string    `json:"directory"`
	Started   time.Time `json:"started"`
	// Pages says where each environment's declared address is answered on this machine.
	Pages map[string]string `json:"pages,omitempty"`
	// Clock is what the sandbox's own clock showed at Started, and Scale how many times faster than the machine's it runs; 0 is
	// taken for the machine's own time.
	Clock time.Time `json:"clock,omitzero"`
	Scale float64   `json:"scale,omitempty"`
}

// Now is the present moment on the sandbox's clock, which all times that its services tell are of.
func (s Session) Now() time.Time {
	now := time.Now()
	if s.Scale == 0 {
		return now
	}
	return s.Clock.Add(time.Duration(float64(now.Sub(s.Started)) * s.Scale))
}

// ErrNoSandbox is returned by Newest when no sandbox of this user runs.
var ErrNoSandbox = errors.New("no sandbox runs: start one with `go run ./cmd/sandbox run` and leave it running")

// folder is where this user's running sandboxes announce themselves; only the user may look into it.
func folder() (string, error) {
	base := os.Getenv("XDG_RUNTIME_DIR")
	name := "penguinshop"
	if base == "" {
		base, name = os.TempDir(), "penguinshop-"+strconv.Itoa(os.Getuid())
	}
	dir := filepath.Join(base, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("making the folder of running sandboxes: %w", err)
	}
	// The temporary folder is everybody's: a folder that somebody else made there first is not to be trusted.
	info, err := os.Lstat(dir)
	if err != nil {
		return "", fmt.Errorf("looking at the folder of running sandboxes: %w", err)
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || info.Mode().Perm() != 0o700 || ok && int(owner.Uid) != os.Getuid() {
		return "", fmt.Errorf("%s must be a folder of yours with mode 0700: remove it, or set XDG_RUNTIME_DIR to another", dir)
	}
	return dir, nil
}

// Announce writes the session where Newest finds it, readable by the same user only, and returns what takes it away again.
func Announce(s Session) (withdraw func() error, err error) {
	dir, err := folder()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("announcing the sandbox: %w", err)
	}
	file := filepath.Join(dir, strconv.Itoa(s.PID)+".json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return nil, fmt.Errorf("announcing the sandbox: %w", err)
	}
	return func() error { return os.Remove(file) }, nil
}

// Newest returns the running sandbox that started last, or ErrNoSandbox. What dead sandboxes left behind is removed.
func Newest() (Session, error) {
	dir, err := folder()
	if err != nil {
		return Session{}, err
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return Session{}, fmt.Errorf("listing the running sandboxes: %w", err)
	}
	var sessions []Session
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // withdrawn meanwhile
		}
		var s Session
		if json.Unmarshal(text, &s) != nil || syscall.Kill(s.PID, 0) != nil {
			os.Remove(file)
			continue
		}
		sessions = append(sessions, s)
	}
	if len(sessions) == 0 {
		return Session{}, ErrNoSandbox
	}
	return slices.MaxFunc(sessions, func(a, b Session) int {
		return cmp.Or(a.Started.Compare(b.Started), cmp.Compare(a.PID, b.PID))
	}), nil
}
