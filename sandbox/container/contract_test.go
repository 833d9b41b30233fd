package container_test

import (
	"context"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/container"
)

func TestTry(t *testing.T) {
	reg := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer reg.Close()
	host := strings.TrimPrefix(reg.URL, "http://")
	at := time.Now()
	lap := func(what string) { t.Log(what, time.Since(at).Round(time.Millisecond)); at = time.Now() }
	e, notes, err := container.Detect(context.Background(), container.Options{Registry: host, Progress: func(s string) { t.Log(s) }})
	require.NoError(t, err)
	t.Log(e.Name(), notes)
	lap("detect")
	ref, note, err := e.BaseImage(context.Background(), "public.ecr.aws/docker/library/node:24-slim")
	require.NoError(t, err)
	t.Log(ref, note)
	lap("base")
	ref, note, err = e.BaseImage(context.Background(), "public.ecr.aws/docker/library/node:24-slim")
	lap("base again")
	bin := t.TempDir()
	require.NoError(t, e.InstallCLI(bin))
	lap("cli")
	cmd := exec.Command("sh", "-ec", "docker login -u AWS --password x "+host+"; docker build --build-arg BASE_IMAGE="+ref+" -t "+host+"/app:1 /tmp/ct/t; docker push "+host+"/app:1; docker image inspect --format '{{index .RepoDigests 0}}' "+host+"/app:1")
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	t.Log(string(out))
	require.NoError(t, err)
	lap("build")
	c, err := e.Start(context.Background(), container.Spec{Name: "a", Image: host + "/app:1", Port: 8080, EntryPoint: []string{"node", "-e"}, Command: []string{"console.log('hi');require('http').createServer((q,r)=>r.end('x')).listen(8080)"}, MemoryMiB: 256, CPUUnits: 256, ReadOnly: true, Writable: []string{"/tmp"}})
	require.NoError(t, err)
	t.Log(c.ID(), c.Address())
	lap("start")
	require.NoError(t, c.Stop(context.Background(), time.Second))
	lap("stop")
	t.Log(c.Exit())
	var b strings.Builder
	c.Logs(context.Background(), &b)
	t.Log(b.String())
	require.NoError(t, e.Close())
	lap("close")
}
