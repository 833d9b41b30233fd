package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/penguinshop/delivery/sandbox/load"
)

// How the load balancers are compared: so many connections that each always has something to do, for so long, after a while in
// which nothing counts yet.
const (
	connections = 32
	measured    = 8 * time.Second
	warming     = 2 * time.Second
	asked       = "/api/products"
)

// balancers compares three ways to the same containers: the sandbox's load balancer, nginx with two of them as weighted
// upstreams, and a direct connection to one.
func balancers(ctx context.Context, balancer string, targets []string, progress func(string)) ([]Figure, error) {
	if len(targets) < 2 {
		return nil, fmt.Errorf("%d containers are live, and a comparison needs two", len(targets))
	}
	direct, err := capacity(ctx, "direct", targets[0], progress)
	if err != nil {
		return nil, err
	}
	own, err := capacity(ctx, "the load balancer", balancer, progress)
	if err != nil {
		return nil, err
	}
	figures := []Figure{
		{Name: "balancer/direct/rate", Value: direct.PerSecond, Unit: "requests/s"},
		{Name: "balancer/direct/p99", Value: milliseconds(direct.P99), Unit: "ms"},
		{Name: "balancer/own/rate", Value: own.PerSecond, Unit: "requests/s"},
		{Name: "balancer/own/p99", Value: milliseconds(own.P99), Unit: "ms"},
		{Name: "balancer/own/rateOfDirect", Value: 100 * own.PerSecond / direct.PerSecond, Unit: "%"},
	}
	address, stop, err := nginx(ctx, targets[0], targets[1])
	if err != nil {
		return figures, err
	}
	theirs, err := capacity(ctx, "nginx", address, progress)
	if err = errors.Join(err, stop()); err != nil {
		return figures, err
	}
	return append(figures,
		Figure{Name: "balancer/nginx/rate", Value: theirs.PerSecond, Unit: "requests/s"},
		Figure{Name: "balancer/nginx/p99", Value: milliseconds(theirs.P99), Unit: "ms"},
		Figure{Name: "balancer/own/rateOfNginx", Value: 100 * own.PerSecond / theirs.PerSecond, Unit: "%"}), nil
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func capacity(ctx context.Context, name, address string, progress func(string)) (load.Capacity, error) {
	progress("how much answers: " + name)
	if _, err := load.Saturate(ctx, address, asked, connections, warming); err != nil {
		return load.Capacity{}, fmt.Errorf("%s: %w", name, err)
	}
	answered, err := load.Saturate(ctx, address, asked, connections, measured)
	if err != nil {
		return load.Capacity{}, fmt.Errorf("%s: %w", name, err)
	}
	return answered, ctx.Err()
}

// nginx starts nginx before two upstreams, with the headers that a load balancer adds.
func nginx(ctx context.Context, one, other string) (address string, stop func() error, err error) {
	program, err := exec.LookPath("nginx")
	if err != nil {
		if program, err = exec.LookPath("/usr/sbin/nginx"); err != nil { // Debian keeps it from the users' PATH
			return "", nil, &Absent{"nginx is not here, so there is nothing to compare the load balancer with", "apt-get install nginx-light"}
		}
	}
	free, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	address = free.Addr().String()
	folder, err := os.MkdirTemp("", "bench-nginx-")
	if err = errors.Join(err, free.Close()); err != nil {
		return "", nil, err
	}
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
}`, folder, one, other, address)
	file := filepath.Join(folder, "nginx.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(folder))
	}
	server := exec.Command(program, "-p", folder, "-e", filepath.Join(folder, "error.log"), "-c", file)
	server.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := server.Start(); err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(folder))
	}
	stop = func() error {
		problem := server.Process.Signal(os.Interrupt)
		_ = server.Wait() // it was told to end
		return errors.Join(problem, os.RemoveAll(folder))
	}
	for range 100 {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			return address, stop, conn.Close()
		}
		time.Sleep(50 * time.Millisecond)
	}
	said, _ := os.ReadFile(filepath.Join(folder, "error.log"))
	return "", nil, errors.Join(fmt.Errorf("nginx does not listen: %s", said), stop())
}
