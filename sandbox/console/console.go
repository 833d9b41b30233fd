// Package console shows a running sandbox in the browser, live, and lets a person act on it: approve, reject, roll back,
// look at the candidate, break something on purpose. It listens on loopback only, and no page of another site can drive it.
package console

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

//go:embed page/index.html page/console.css page/console.js page/icon.svg
var page embed.FS

// beat is how often the page is told the state. It is the machine's time: a person watches at that speed whatever the scale.
const beat = 500 * time.Millisecond

// Options are what a console needs beside its world.
type Options struct {
	// Charts is the folder of the chart library's files (uPlot, from npm). Without it the page shows figures and no charts.
	Charts string
	// Extra are more handlers, by pattern, that share the console's address and its guard.
	Extra map[string]http.Handler
}

// Handler returns the console of the world. A request is answered only when its Host is loopback, so that no name that
// somebody else controls can be pointed here (DNS rebinding), and a request that changes something only when it comes from
// the console's own page or from no browser at all.
func Handler(w World, o Options) http.Handler {
	c := &console{world: w}
	mux := http.NewServeMux()
	assets, err := fs.Sub(page, "page")
	if err != nil {
		panic(err) // the folder is embedded
	}
	mux.Handle("GET /", http.FileServerFS(assets))
	for _, file := range []string{"uPlot.iife.min.js", "uPlot.min.css"} {
		mux.HandleFunc("GET /charts/"+file, func(w http.ResponseWriter, r *http.Request) {
			if o.Charts == "" {
				http.NotFound(w, r)
				return
			}
			http.ServeFile(w, r, filepath.Join(o.Charts, file))
		})
	}
	mux.HandleFunc("GET /api/state", c.state)
	mux.HandleFunc("GET /api/live", c.live)
	mux.HandleFunc("GET /api/log/{stage}/{action}", c.log)
	mux.HandleFunc("POST /api/approval", c.answer)
	mux.HandleFunc("POST /api/environments/{environment}/rollback", c.rollback)
	mux.HandleFunc("POST /api/drills/{drill}", c.drill)
	for pattern, handler := range o.Extra {
		mux.Handle(pattern, handler)
	}
	return guard(http.NewCrossOriginProtection().Handler(mux))
}

// guard refuses foreign hosts and sets the headers that keep the page to its own files.
func guard(next http.Handler) http.Handler {
	return guardHost(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	}))
}

func guardHost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		if ip := net.ParseIP(strings.Trim(host, "[]")); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			http.Error(w, "the sandbox answers on loopback only: open it as http://127.0.0.1:<port>", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

type console struct{ world World }

func (c *console) state(w http.ResponseWriter, r *http.Request) {
	state, err := c.world.State(r.Context())
	if err != nil {
		refuse(w, http.StatusInternalServerError, err)
		return
	}
	reply(w, state)
}

// live is a stream of server-sent events: "state" at every beat, "entry" for each line of the journal. A browser that
// reconnects says the last entry that it saw and gets the rest.
func (c *console) live(w http.ResponseWriter, r *http.Request) {
	flusher, ok := w.(http.Flusher)
	if !ok {
		refuse(w, http.StatusInternalServerError, errors.New("the connection cannot be streamed to"))
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	var last int
	fmt.Sscan(r.Header.Get("Last-Event-ID"), &last) //nolint:errcheck // absent at the first connection
	send := func(event string, id int, data any) error {
		text, err := json.Marshal(data)
		if err != nil {
			return err
		}
		if id > 0 {
			fmt.Fprintf(w, "id: %d\n", id)
		}
		_, err = fmt.Fprintf(w, "event: %s\ndata: %s\n\n", event, text)
		return err
	}
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	for {
		state, err := c.world.State(r.Context())
		if err != nil {
			return
		}
		entries := c.world.Journal().Since(last)
		for _, e := range entries {
			if send("entry", e.Sequence, e) != nil {
				return
			}
			last = e.Sequence
		}
		if send("state", 0, state) != nil {
			return
		}
		flusher.Flush()
		select {
		case <-ticker.C:
		case <-r.Context().Done():
			return
		}
	}
}

func (c *console) log(w http.ResponseWriter, r *http.Request) {
	text, err := c.world.Log(r.Context(), r.PathValue("stage"), r.PathValue("action"))
	if err != nil {
		refuse(w, http.StatusNotFound, err)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprint(w, text)
}

func (c *console) answer(w http.ResponseWriter, r *http.Request) {
	var a Answer
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&a); err != nil {
		refuse(w, http.StatusBadRequest, fmt.Errorf("reading the answer: %w", err))
		return
	}
	c.act(w, c.world.Answer(r.Context(), a))
}

func (c *console) rollback(w http.ResponseWriter, r *http.Request) {
	c.act(w, c.world.Rollback(r.Context(), r.PathValue("environment")))
}

func (c *console) drill(w http.ResponseWriter, r *http.Request) {
	c.act(w, c.world.Drill(r.Context(), r.PathValue("drill")))
}

// act answers a request that changes something: with nothing when it was done, with the reason when it was not.
func (c *console) act(w http.ResponseWriter, err error) {
	if err != nil {
		refuse(w, http.StatusConflict, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// Preview returns the handler that shows an environment's candidate: a browser cannot send the header that selects it, so
// this proxy does. It has an address of its own, since the shop's page names its files from the root.
func Preview(w World, environment string) http.Handler {
	return guardHost(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		target, header, value, err := w.Preview(r.Context(), environment)
		var to *url.URL
		if err == nil {
			to, err = url.Parse(target)
		}
		if err != nil {
			refuse(rw, http.StatusNotFound, fmt.Errorf("reaching the candidate of %s: %w", environment, err))
			return
		}
		(&httputil.ReverseProxy{
			Rewrite: func(p *httputil.ProxyRequest) {
				p.SetURL(to)
				p.Out.Header.Set(header, value)
			},
			ErrorHandler: func(rw http.ResponseWriter, _ *http.Request, err error) {
				refuse(rw, http.StatusBadGateway, fmt.Errorf("the candidate of %s does not answer: %w", environment, err))
			},
		}).ServeHTTP(rw, r)
	}))
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v) //nolint:errcheck // the browser went away
}

func refuse(w http.ResponseWriter, status int, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]string{"error": err.Error()}) //nolint:errcheck // the browser went away
}

// Listen opens the console's port on loopback: the preferred one, or a free one where that is taken.
func Listen(preferred int) (net.Listener, error) {
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", preferred))
	if err != nil {
		listener, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		return nil, fmt.Errorf("opening the console's port: %w", err)
	}
	return listener, nil
}

// Serve runs the handler on the listener until ctx ends. Streams end with it.
func Serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: 10 * time.Second,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	context.AfterFunc(ctx, func() { server.Close() })
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving the console: %w", err)
	}
	return nil
}

// ChartsIn returns the chart library's folder below the console's own in a checkout of the project, or "" when npm has not
// put it there.
func ChartsIn(project string) string {
	dir := filepath.Join(project, "sandbox", "console", "page", "node_modules", "uplot", "dist")
	if _, err := os.Stat(filepath.Join(dir, "uPlot.iife.min.js")); err != nil {
		return ""
	}
	return dir
}
