package container_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/container"
	"github.com/penguinshop/delivery/tests/need"
)

const (
	wanted = "public.ecr.aws/docker/library/node:24-slim"
	// standInFor makes the test binary stand for a run of the sandbox that somebody kills.
	standInFor = "CONTAINER_TEST_RUN"
)

func TestMain(m *testing.M) {
	container.RunTool()
	if engine := os.Getenv(standInFor); engine != "" {
		runAndWait(engine)
		return
	}
	code := m.Run()
	if err := closeBenches(); err != nil {
		fmt.Fprintln(os.Stderr, "closing the engines:", err)
		code = 1
	}
	os.Exit(code)
}

// runAndWait is another run of the sandbox: it starts a container, says which, and waits to be killed.
func runAndWait(engine string) {
	ctx := context.Background()
	e, _, err := container.Detect(ctx, container.Options{Engine: engine, Registry: os.Getenv("CONTAINER_TEST_REGISTRY")})
	if err != nil {
		panic(err)
	}
	c, err := e.Start(ctx, container.Spec{Name: os.Getenv("CONTAINER_TEST_NAME"), Image: os.Getenv("CONTAINER_TEST_IMAGE"), Port: 8080})
	if err != nil {
		panic(err)
	}
	fmt.Println(c.Address())
	select {}
}

// bench is an engine with a registry and an image of testdata/app in it.
type bench struct {
	container.Engine
	registry, bin, image string
}

var benches = struct {
	sync.Mutex
	open map[string]*bench
}{open: map[string]*bench{}}

// forEachEngine runs the test on every engine that works on this machine, but for those that the test is not about. Plain
// processes and one of docker and podman must be among those that work.
func forEachEngine(t *testing.T, test func(t *testing.T, b *bench), but ...string) {
	t.Helper()
	var absent []error
	contained := false
	for _, name := range container.Names() {
		if slices.Contains(but, name) {
			continue
		}
		b, err := openBench(t, name)
		if err != nil && name != container.Process {
			absent = append(absent, fmt.Errorf("%s: %w", name, err))
			continue
		}
		contained = contained || name != container.Process
		t.Run(name, func(t *testing.T) {
			if err != nil {
				need.Missing(t, "plain processes: %v", err)
			}
			test(t, b)
		})
	}
	if !contained {
		need.Missing(t, "docker or podman: %v", errors.Join(absent...))
	}
}

var handler = sync.OnceValue(func() string {
	return strings.TrimPrefix(httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0)))).URL, "http://")
})

func detect(t *testing.T, name string) (container.Engine, error) {
	e, _, err := container.Detect(t.Context(), container.Options{Engine: name, Registry: handler(), Progress: func(s string) { t.Log(s) }})
	return e, err
}

// openBench opens an engine for all tests of the package, and builds the image that they run.
func openBench(t *testing.T, name string) (*bench, error) {
	t.Helper()
	benches.Lock()
	defer benches.Unlock()
	if b := benches.open[name]; b != nil {
		return b, nil
	}
	e, err := detect(t, name)
	if err != nil {
		return nil, err
	}
	b := &bench{Engine: e, registry: handler()}
	benches.open[name] = b // even if the build fails, it is closed in the end
	b.bin, err = os.MkdirTemp("", "docker-")
	require.NoError(t, err)
	require.NoError(t, e.InstallCLI(b.bin))
	b.image = b.build(t, "testdata/app", "--build-arg", "COMMIT=abc")
	return b, nil
}

// closeBenches also judges that closing works.
func closeBenches() error {
	var problems error
	for _, b := range benches.open {
		problems = errors.Join(problems, b.Close(), os.RemoveAll(b.bin))
	}
	return problems
}

// docker runs the build's docker command.
func (b *bench) docker(t *testing.T, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(b.bin, "docker"), args...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (b *bench) mustDocker(t *testing.T, args ...string) string {
	t.Helper()
	out, err := b.docker(t, args...)
	require.NoError(t, err, out)
	return out
}

// build builds the folder, pushes the image and returns its name by digest.
func (b *bench) build(t *testing.T, folder string, flags ...string) string {
	t.Helper()
	base, note, err := b.BaseImage(t.Context(), wanted)
	require.NoError(t, err)
	if base != wanted {
		require.Contains(t, note, wanted)
	}
	tag := fmt.Sprintf("%s/subject-%s:%d", b.registry, b.Name(), time.Now().UnixNano())
	login := exec.CommandContext(t.Context(), filepath.Join(b.bin, "docker"), "login", "--username", "AWS", "--password-stdin", b.registry)
	login.Stdin = strings.NewReader("secret")
	out, err := login.CombinedOutput()
	require.NoError(t, err, string(out))
	b.mustDocker(t, append([]string{"build", "--build-arg", "BASE_IMAGE=" + base, "--tag", tag, folder}, flags...)...)
	b.mustDocker(t, "push", tag)
	ref, err := name.ParseReference(tag)
	require.NoError(t, err)
	pushed, err := remote.Head(ref)
	require.NoError(t, err)
	return ref.Context().Digest(pushed.Digest.String()).String()
}

func (b *bench) spec() container.Spec {
	return container.Spec{
		Name: fmt.Sprintf("t%d", time.Now().UnixNano()), Image: b.image, Port: 8080, User: "1000:1000", ReadOnly: true,
		Writable: []string{"/app/tmp"}, MemoryMiB: 256, CPUUnits: 512, Env: map[string]string{"GREETING": "hello there", "POEM": "a\nb"},
	}
}

func (b *bench) start(t *testing.T, change func(*container.Spec)) container.Container {
	t.Helper()
	spec := b.spec()
	if change != nil {
		change(&spec)
	}
	c, err := b.Start(t.Context(), spec)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Stop(context.Background(), 0)) })
	return c
}

func get(c container.Container, path string) (string, error) {
	client := http.Client{Timeout: 5 * time.Second}
	answer, err := client.Get("http://" + c.Address() + path)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return string(text), err
}

// ready waits until the container answers.
func ready(t *testing.T, c container.Container) {
	t.Helper()
	require.EventuallyWithT(t, func(t *assert.CollectT) {
		_, err := get(c, "/")
		require.NoError(t, err)
	}, 20*time.Second, 20*time.Millisecond)
}

func mustGet(t *testing.T, c container.Container, path string) string {
	t.Helper()
	text, err := get(c, path)
	require.NoError(t, err)
	return text
}

func TestAContainerServesOnLoopbackWithItsImagesCommandAndItsEnvironment(t *testing.T) {
	forEachEngine(t, func(t *testing.T, b *bench) {
		c := b.start(t, nil)
		host, _, err := net.SplitHostPort(c.Address())
		require.NoError(t, err)
		assert.Equal(t, "127.0.0.1", host)
		ready(t, c)
		assert.Equal(t, "hello from the image", mustGet(t, c, "/"))
		var env map[string]string
		require.NoError(t, json.Unmarshal([]byte(mustGet(t, c, "/env")), &env))
		assert.Equal(t, "hello there", env["GREETING"])
		assert.Equal(t, "a\nb", env["POEM"])
		assert.Equal(t, "production", env["NODE_ENV"])
		assert.Equal(t, "abc", env["COMMIT"])
		assert.NotContains(t, env, "CI", "the machine's own environment is nobody's business")
	})
}

func TestAContainersProgramIsNotRootAndWritesOnlyWhereItMay(t *testing.T) {
	forEachEngine(t, func(t *testing.T, b *bench) {
		c := b.start(t, nil)
		ready(t, c)
		if b.Name() != container.Process || os.Getuid() == 0 {
			assert.Equal(t, "1000", mustGet(t, c, "/uid"))
		}
		assert.Contains(t, []string{"EROFS", "EACCES"}, mustGet(t, c, "/write-root"))
		assert.Equal(t, "written", mustGet(t, c, "/write-tmp"))
	})
}

func TestTwoContainersOfOneImageServeSideBySide(t *testing.T) {
	forEachEngine(t, func(t *testing.T, b *bench) {
		one, other := b.start(t, nil), b.start(t, nil)
		assert.NotEqual(t, one.Address(), other.Address())
		ready(t, one)
		ready(t, other)
		require.NoError(t, one.Stop(t.Context(), time.Second))
		assert.Equal(t, "hello from the image", mustGet(t, other, "/"))
	})
}

func TestATaskDefinitionsCommandGoesBeforeTheImages(t *testing.T) {
	forEachEngine(t, func(t *testing.T, b *bench) {
		c := b.start(t, func(s *container.Spec) {
			s.EntryPoint, s.Command = []string{"node", "-e"}, []string{"console.log('from the command'); process.exit(7)"}
		})
		assert.Equal(t, 7, c.Exit().Code)
		var text bytes.Buffer
		require.NoError(t, c.Logs(t.Context(), &text))
		assert.Equal(t, "from the command\n", text.String())
	})
}

func TestLogsAreFollowedFromTheirBeginningToTheEnd(t *testing.T) {
	forEachEngine(t, func(t *testing.T, b *bench) {
		c := b.start(t, nil)
		ready(t, c)
		ctx, cancel := context.WithCancel(t.Context())
		seen := make(chan string, 1)
		go func() {
			var text bytes.Buffer
			_ = c.Logs(ctx, &text)
			seen <- text.String()
		}()
		require.NoError(t, c.Stop(t.Context(), 10*time.Second))
		assert.Equal(t, "listening\ntold to stop\n", <-seen)
		cancel()
		var late bytes.Buffer
		require.NoError(t, c.Logs(t.Context(), &late))
		assert.Equal(t, "listening\ntold to stop\n", late.String(), "logs outlive the container")
	})
}

func TestAnEndSaysHowItCameAbout(t *testing.T) {
	for _, end := range []struct {
		how  string
		do   func(t *testing.T, c container.Container)
		want container.Exit
	}{
		{"by its own exit", func(t *testing.T, c container.Container) { mustGet(t, c, "/exit") },
			container.Exit{Code: 3, Reason: "Essential container in task exited"}},
		{"by a crash", func(t *testing.T, c container.Container) { require.NoError(t, c.Kill(t.Context())) },
			container.Exit{Code: 137, Reason: "Essential container in task exited"}},
		{"by too much memory", func(t *testing.T, c container.Container) { mustGet(t, c, "/leak") },
			container.Exit{Code: 137, Reason: "OutOfMemoryError: Container killed due to memory usage"}},
		{"by a stop that it obeys", func(t *testing.T, c container.Container) { require.NoError(t, c.Stop(t.Context(), 20*time.Second)) },
			container.Exit{Code: 0, Reason: "Essential container in task exited"}},
	} {
		t.Run(end.how, func(t *testing.T) {
			forEachEngine(t, func(t *testing.T, b *bench) {
				c := b.start(t, nil)
				ready(t, c)
				select {
				case <-c.Done():
					t.Fatal("it ended by itself")
				default:
				}
				end.do(t, c)
				select {
				case <-c.Done():
				case <-time.After(30 * time.Second):
					t.Fatal("it did not end")
				}
				assert.Equal(t, end.want, c.Exit())
				assert.NoFileExists(t, "oom", "podman's word of it belongs into the run's folder")
			})
		})
	}
}

func TestAStubbornContainerIsKilledAfterItsGrace(t *testing.T) {
	forEachEngine(t, func(t *testing.T, b *bench) {
		c := b.start(t, func(s *container.Spec) { s.Env["STUBBORN"] = "yes" })
		ready(t, c)
		began := time.Now()
		require.NoError(t, c.Stop(t.Context(), 300*time.Millisecond))
		assert.GreaterOrEqual(t, time.Since(began), 300*time.Millisecond)
		assert.Equal(t, 137, c.Exit().Code)
		_, err := get(c, "/")
		require.Error(t, err)
	})
}

func TestAContainerThatCannotStartSaysWhyInECSsWords(t *testing.T) {
	forEachEngine(t, func(t *testing.T, b *bench) {
		for _, bad := range []struct {
			change func(*container.Spec)
			code   string
			words  string
		}{
			{func(s *container.Spec) {
				s.Image = b.registry + "/subject-" + b.Name() + "@sha256:" + strings.Repeat("0", 64)
			}, container.CannotPull, "(?i)manifest"},
			{func(s *container.Spec) { s.EntryPoint = []string{"no-such-program"} }, container.CannotStart, "no-such-program"},
		} {
			spec := b.spec()
			bad.change(&spec)
			_, err := b.Start(t.Context(), spec)
			var refused *container.StartError
			require.ErrorAs(t, err, &refused)
			assert.Equal(t, bad.code, refused.Code)
			require.Regexp(t, "^"+bad.code+": .*"+bad.words, err.Error())
		}
	})
}

func TestAContainerReachesAListenerThatOthersDoNot(t *testing.T) {
	forEachEngine(t, func(t *testing.T, b *bench) {
		listener, host, err := b.Listen(t.Context())
		require.NoError(t, err)
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "metadata") })}
		go func() { _ = server.Serve(listener) }()
		defer server.Close()
		bound, port, err := net.SplitHostPort(listener.Addr().String())
		require.NoError(t, err)
		assert.True(t, net.ParseIP(bound).IsLoopback() || net.ParseIP(bound).IsPrivate(), bound)
		c := b.start(t, nil)
		ready(t, c)
		assert.Equal(t, "metadata", mustGet(t, c, "/fetch?url="+url.QueryEscape("http://"+net.JoinHostPort(host, port))))
	})
}

func TestWhenTheCallerGivesUpNothingIsLeft(t *testing.T) {
	forEachEngine(t, func(t *testing.T, b *bench) {
		for _, patience := range []time.Duration{0, 50 * time.Millisecond, 200 * time.Millisecond} {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			spec := b.spec()
			if c, err := b.Start(ctx, spec); err == nil {
				require.NoError(t, c.Stop(t.Context(), 0))
			} else {
				require.ErrorIs(t, err, context.DeadlineExceeded)
			}
			cancel()
			assert.Empty(t, leftovers(t, b.Name(), spec.Name))
		}
	})
}

func TestCloseLeavesNothingAndCanBeCalledTwice(t *testing.T) {
	forEachEngine(t, func(t *testing.T, b *bench) {
		e, err := detect(t, b.Name())
		require.NoError(t, err)
		spec := b.spec()
		c, err := e.Start(t.Context(), spec)
		require.NoError(t, err)
		ready(t, c)
		require.NoError(t, e.Close())
		assert.Equal(t, 137, c.Exit().Code)
		_, err = get(c, "/")
		require.Error(t, err)
		assert.Empty(t, leftovers(t, b.Name(), spec.Name))
		require.NoError(t, e.Close())
		_, err = e.Start(t.Context(), b.spec())
		require.ErrorContains(t, err, "the container engine is closed")
	})
}

// leftovers are the containers of that name, or for plain processes the folders that they run in.
func leftovers(t *testing.T, engine, name string) []string {
	t.Helper()
	if engine == container.Process {
		found, err := filepath.Glob(filepath.Join(os.TempDir(), fmt.Sprintf("penguinshop-sandbox-%d", os.Getuid()), "*", "task-"+name+"-*"))
		require.NoError(t, err)
		return found
	}
	out, err := exec.CommandContext(t.Context(), engine, "ps", "--all", "--quiet", "--filter", "name="+name).Output()
	require.NoError(t, err)
	return strings.Fields(string(out))
}

func TestWhatAKilledRunLeftIsClearedAwayByTheNext(t *testing.T) {
	forEachEngine(t, func(t *testing.T, b *bench) {
		left := b.spec().Name
		other := exec.Command(os.Args[0])
		other.Env = append(os.Environ(), standInFor+"="+b.Name(), "CONTAINER_TEST_NAME="+left,
			"CONTAINER_TEST_REGISTRY="+b.registry, "CONTAINER_TEST_IMAGE="+b.image)
		var problems bytes.Buffer
		other.Stderr = &problems
		out, err := other.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, other.Start())
		text := make([]byte, 64)
		n, err := out.Read(text)
		if err != nil {
			_ = other.Wait()
			t.Fatalf("the other run ended: %s", problems.String())
		}
		address := strings.TrimSpace(string(text[:n]))
		require.Eventually(t, func() bool { return answers(address) }, 20*time.Second, 20*time.Millisecond)
		require.NoError(t, other.Process.Signal(syscall.SIGKILL))
		_ = other.Wait()
		assert.True(t, answers(address), "a killed run takes nothing along")

		next, err := detect(t, b.Name())
		require.NoError(t, err)
		defer next.Close()
		assert.False(t, answers(address))
		assert.Empty(t, leftovers(t, b.Name(), left))
	})
}

func answers(address string) bool {
	answer, err := http.Get("http://" + address)
	if err != nil {
		return false
	}
	return answer.Body.Close() == nil
}

func TestASecondBuildBuildsOnlyWhatChanged(t *testing.T) {
	forEachEngine(t, func(t *testing.T, b *bench) {
		folder := t.TempDir()
		require.NoError(t, os.CopyFS(folder, os.DirFS("testdata/app")))
		base, _, err := b.BaseImage(t.Context(), wanted)
		require.NoError(t, err)
		build := func() string {
			return b.mustDocker(t, "build", "--build-arg", "BASE_IMAGE="+base, "--build-arg", "COMMIT=x", "--tag", b.registry+"/again:1", folder)
		}
		build()
		require.NoError(t, os.WriteFile(filepath.Join(folder, "index.js"), []byte(fmt.Sprintf("console.log(%d)", time.Now().UnixNano())), 0o644))
		text := build()
		assert.NotContains(t, text, "packages in", "npm has nothing to do")
		assert.Regexp(t, "(?i)cache", text)
		b.mustDocker(t, "rmi", b.registry+"/again:1")
	})
}

func TestABuildThatFailsSaysWhichInstructionFailed(t *testing.T) {
	forEachEngine(t, func(t *testing.T, b *bench) {
		folder := t.TempDir()
		base, _, err := b.BaseImage(t.Context(), wanted)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(folder, "Dockerfile"), []byte("FROM "+base+"\nWORKDIR /app\nRUN node -e throw\n"), 0o644))
		out, err := b.docker(t, "build", "--tag", b.registry+"/broken:1", folder)
		require.Error(t, err)
		assert.Contains(t, out, "RUN node -e throw")
		_, err = b.docker(t, "image", "inspect", b.registry+"/broken:1")
		require.Error(t, err)
	})
}

func TestABuildThatIsKilledLeavesNothing(t *testing.T) {
	forEachEngine(t, func(t *testing.T, b *bench) {
		e, err := detect(t, b.Name())
		require.NoError(t, err)
		bin, folder := t.TempDir(), t.TempDir()
		require.NoError(t, e.InstallCLI(bin))
		base, _, err := e.BaseImage(t.Context(), wanted)
		require.NoError(t, err)
		marker := fmt.Sprintf("setInterval(()=>{},%d)", time.Now().UnixNano()%1e9)
		require.NoError(t, os.WriteFile(filepath.Join(folder, "wait.js"), []byte(marker), 0o644))
		require.NoError(t, os.WriteFile(filepath.Join(folder, "Dockerfile"),
			[]byte("FROM "+base+"\nWORKDIR /app\nCOPY wait.js .\nRUN node wait.js "+filepath.Base(folder)+"\n"), 0o644))
		cmd := exec.Command(filepath.Join(bin, "docker"), "build", folder)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		require.NoError(t, cmd.Start())
		command := "wait.js " + filepath.Base(folder)
		require.Eventually(t, func() bool { return processesOf(command) != "" }, 30*time.Second, 50*time.Millisecond)
		require.NoError(t, syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM))
		_ = cmd.Wait()
		require.NoError(t, e.Close())
		require.Eventually(t, func() bool { return processesOf(command) == "" }, 10*time.Second, 50*time.Millisecond)
		if b.Name() == container.Podman {
			out, err := exec.Command("podman", "ps", "--all", "--external", "--format", "{{.Image}} {{.Names}}").Output()
			require.NoError(t, err)
			assert.NotContains(t, string(out), base)
		}
	})
}

// processesOf lists the processes whose command line ends with the words.
func processesOf(words string) string {
	out, _ := exec.Command("ps", "-eo", "pid=,stat=,args=").Output()
	var found []string
	for line := range strings.Lines(string(out)) {
		if line = strings.TrimSpace(line); strings.HasSuffix(line, "node "+words) && !strings.Contains(line, "RUN") {
			found = append(found, line)
		}
	}
	return strings.Join(found, "\n")
}

func TestAnImageCanBePulledTaggedListedAndRemoved(t *testing.T) {
	forEachEngine(t, func(t *testing.T, b *bench) {
		other := fmt.Sprintf("%s/other:%d", b.registry, time.Now().UnixNano())
		b.mustDocker(t, "pull", b.image)
		b.mustDocker(t, "tag", b.image, other)
		label := b.mustDocker(t, "image", "inspect", "--format", "{{json .Config.Env}}", other)
		assert.Contains(t, label, "COMMIT=abc")
		id := strings.TrimSpace(b.mustDocker(t, "image", "inspect", "--format", "{{.Id}}", other))
		assert.Regexp(t, "[0-9a-f]{64}", id)
		// podman fails to list its images when another process removes one meanwhile.
		require.Eventually(t, func() bool {
			listed, err := b.docker(t, "images")
			return err == nil && strings.Contains(listed, b.registry+"/other")
		}, 30*time.Second, 200*time.Millisecond)
		b.mustDocker(t, "rmi", other)
		_, err := b.docker(t, "image", "inspect", other)
		require.Error(t, err)
	})
}

func TestCloseRemovesTheRegistrysImagesAndKeepsTheNewestForTheNextBuild(t *testing.T) {
	forEachEngine(t, func(t *testing.T, b *bench) {
		server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
		defer server.Close()
		host, repository := strings.TrimPrefix(server.URL, "http://"), fmt.Sprintf("closing-%d", time.Now().UnixNano())
		e, _, err := container.Detect(t.Context(), container.Options{Engine: b.Name(), Registry: host})
		require.NoError(t, err)
		own := &bench{Engine: e, registry: host, bin: t.TempDir()}
		require.NoError(t, e.InstallCLI(own.bin))
		base, _, err := e.BaseImage(t.Context(), wanted)
		require.NoError(t, err)
		for _, tag := range []string{"1", "2"} {
			ref := host + "/" + repository + ":" + tag
			own.mustDocker(t, "build", "--build-arg", "BASE_IMAGE="+base, "--build-arg", "COMMIT="+tag, "--label", "commit="+tag, "--tag", ref, "testdata/app")
			own.mustDocker(t, "push", ref)
			parsed, err := name.ParseReference(ref)
			require.NoError(t, err)
			pushed, err := remote.Head(parsed)
			require.NoError(t, err)
			c, err := e.Start(t.Context(), container.Spec{Name: "t" + tag, Image: parsed.Context().Digest(pushed.Digest.String()).String(), Port: 8080})
			require.NoError(t, err)
			require.NoError(t, c.Stop(t.Context(), 0))
		}
		require.NoError(t, e.Close())
		out, err := exec.CommandContext(t.Context(), b.Name(), "images", "--format", "{{.Repository}}").Output()
		require.NoError(t, err)
		assert.NotContains(t, string(out), host)
		kept := "localhost/penguinshop-cache/" + repository
		assert.Equal(t, 1, strings.Count(string(out), kept))
		env, err := exec.CommandContext(t.Context(), b.Name(), "image", "inspect", "--format", "{{.Config.Env}}", kept+":newest").Output()
		require.NoError(t, err)
		assert.Contains(t, string(env), "COMMIT=2")
		require.NoError(t, exec.CommandContext(t.Context(), b.Name(), "rmi", kept+":newest").Run())
	}, container.Process) // which keep their images in the run's folder
}

func TestAnEngineThatDoesNotExistOrDoesNotWorkIsAClearError(t *testing.T) {
	_, _, err := container.Detect(t.Context(), container.Options{Engine: "lxc"})
	require.EqualError(t, err, `there is no container engine "lxc": take one of docker, podman, process`)
	t.Setenv("PATH", t.TempDir())
	for _, name := range []string{container.Docker, container.Podman} {
		_, _, err = container.Detect(t.Context(), container.Options{Engine: name})
		require.EqualError(t, err, fmt.Sprintf("the container engine %s does not work here: there is no %s command on the PATH", name, name))
	}
	e, notes, err := container.Detect(t.Context(), container.Options{})
	require.NoError(t, err)
	defer e.Close()
	assert.Equal(t, container.Process, e.Name())
	assert.Equal(t, []string{
		"docker is not used: there is no docker command on the PATH", "podman is not used: there is no podman command on the PATH",
	}, notes)
	_, _, err = e.BaseImage(t.Context(), wanted)
	require.ErrorContains(t, err, "there is no node on the PATH: install Node.js")
}

func TestTheStandInOfABaseImageIsMadeOnceAndTheSecondTimeIsAtOnce(t *testing.T) {
	if runtime.GOOS != "linux" {
		need.Missing(t, "Linux, whose programs a stand-in is made of")
	}
	forEachEngine(t, func(t *testing.T, b *bench) {
		first, note, err := b.BaseImage(t.Context(), wanted)
		require.NoError(t, err)
		began := time.Now()
		second, _, err := b.BaseImage(t.Context(), wanted)
		require.NoError(t, err)
		assert.Equal(t, first, second)
		assert.Less(t, time.Since(began), 2*time.Second)
		t.Logf("%s %s (%s)", second, time.Since(began), note)
	})
}

func TestABaseImageOfAMachineThatWasGivenUpIsAnError(t *testing.T) {
	forEachEngine(t, func(t *testing.T, b *bench) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, _, err := b.BaseImage(ctx, "registry.invalid/node:24")
		require.True(t, errors.Is(err, context.Canceled), "%v", err)
	}, container.Process) // whose base is this machine's own Node
}
