package elb_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/cloudwatch"
	"github.com/penguinshop/delivery/sandbox/elb"
)

// BenchmarkProxy compares the load balancer's cost, its metrics included, with a direct connection to one target and with
// nginx as a proxy with two weighted upstreams: same machine, same run, same client, same targets.
func BenchmarkProxy(b *testing.B) {
	page := strings.Repeat("penguin ", 128)
	target := func() string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			io.WriteString(w, page)
		}))
		b.Cleanup(server.Close)
		return server.Listener.Addr().String()
	}
	blue, green := target(), target()
	b.Run("direct", func(b *testing.B) { load(b, blue) })
	b.Run("elb", func(b *testing.B) { load(b, balanced(b, blue, green)) })
	b.Run("nginx", func(b *testing.B) { load(b, nginx(b, blue, green)) })
}

// balanced starts a load balancer that sends 90 % to one target and 10 % to the other.
func balanced(b *testing.B, blue, green string) string {
	metrics := cloudwatch.New(cloudwatch.Options{Clock: clockwork.NewRealClock()})
	b.Cleanup(func() { metrics.Close() })
	service, err := elb.New(elb.Options{Clock: clockwork.NewRealClock(), Meter: metrics.Meter()})
	require.NoError(b, err)
	b.Cleanup(func() { service.Close() })
	providers := service.Providers()
	require.NoError(b, providers[loadBalancerType].Create(context.Background(), loadBalancer(nil)))
	for name, arn := range map[string]string{"blue": blueARN, "green": greenARN} {
		require.NoError(b, providers[targetGroupType].Create(context.Background(), targetGroup(name, arn, nil)))
	}
	weights := forwardTo(map[string]int{blueARN: 90, greenARN: 10})
	require.NoError(b, providers[listenerType].Create(context.Background(), listener(weights, nil)))
	require.NoError(b, providers[ruleType].Create(context.Background(), rule("preview", 1,
		[]any{object{"httpHeader": object{"httpHeaderName": "X-Preview", "values": []any{"secret"}}}}, forwardTo(map[string]int{greenARN: 1}))))
	require.NoError(b, service.Register(blueARN, "10.0.0.1", 0, blue))
	require.NoError(b, service.Register(greenARN, "10.0.0.2", 0, green))
	return service.Address(lbARN, 80)
}

// nginx starts nginx with the same job.
func nginx(b *testing.B, blue, green string) string {
	program, err := exec.LookPath("nginx")
	if err != nil {
		if program = "/usr/sbin/nginx"; !executable(program) {
			b.Skip("nginx is not installed, so there is nothing to compare with: install it (apt-get install nginx-light)")
		}
	}
	address, dir := closedPort(b), b.TempDir()
	config := fmt.Sprintf(`
worker_processes auto; daemon off; pid %[1]s/pid; error_log %[1]s/error.log;
events { worker_connections 4096; }
http {
  access_log off; keepalive_requests 1000000000;
  client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi; uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
  upstream shop { server %[2]s weight=90; server %[3]s weight=10; keepalive 256; keepalive_requests 1000000000; }
  server {
    listen %[4]s;
    location / {
      proxy_pass http://shop; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Port $server_port;
      proxy_set_header X-Amzn-Trace-Id $request_id;
    }
  }
}`, dir, blue, green, address)
	require.NoError(b, os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(config), 0o600))
	server := exec.Command(program, "-p", dir, "-e", filepath.Join(dir, "error.log"), "-c", filepath.Join(dir, "nginx.conf"))
	server.Stderr = os.Stderr
	require.NoError(b, server.Start())
	b.Cleanup(func() {
		_ = server.Process.Signal(os.Interrupt)
		_ = server.Wait()
	})
	require.Eventually(b, func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
		}
		return err == nil
	}, 10*time.Second, 10*time.Millisecond)
	return address
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode()&0o111 != 0
}

// load sends b.N requests over 32 connections, each as soon as the last was answered, and reports throughput and latency. The
// client does as little as it can, so that what is measured is the proxy.
func load(b *testing.B, address string) {
	const connections = 32
	request := []byte("GET /products?page=1 HTTP/1.1\r\nHost: shop.example.com\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n")
	times := hdrhistogram.New(1, int64(time.Minute/time.Microsecond), 3)
	var mu sync.Mutex
	var wait sync.WaitGroup
	b.ResetTimer()
	for i := range connections {
		n := b.N / connections
		if i < b.N%connections {
			n++
		}
		wait.Go(func() {
			mine := hdrhistogram.New(1, int64(time.Minute/time.Microsecond), 3)
			conn, err := net.Dial("tcp", address)
			if err != nil {
				b.Error(err)
				return
			}
			defer conn.Close()
			answers := bufio.NewReader(conn)
			for range n {
				begun := time.Now()
				if _, err := conn.Write(request); err != nil {
					b.Error(err)
					return
				}
				if err := readAnswer(answers); err != nil {
					b.Error(err)
					return
				}
				_ = mine.RecordValue(max(time.Since(begun).Microseconds(), 1))
			}
			mu.Lock()
			times.Merge(mine)
			mu.Unlock()
		})
	}
	wait.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
	b.ReportMetric(float64(times.ValueAtPercentile(50))/1000, "p50-ms")
	b.ReportMetric(float64(times.ValueAtPercentile(99))/1000, "p99-ms")
}

// readAnswer reads one answer with a Content-Length and refuses any status but 200.
func readAnswer(r *bufio.Reader) error {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !strings.HasPrefix(string(line), "HTTP/1.1 200") {
		return fmt.Errorf("answered %q", line)
	}
	length := 0
	for {
		if line, err = r.ReadSlice('\n'); err != nil {
			return err
		}
		if len(line) == 2 {
			break
		}
		const name = "Content-Length: "
		if len(line) > len(name) && string(line[:len(name)]) == name {
			for _, digit := range line[len(name) : len(line)-2] {
				length = length*10 + int(digit-'0')
			}
		}
	}
	_, err = r.Discard(length)
	return err
}
