package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/penguinshop/delivery/operator"
	"github.com/penguinshop/delivery/shiftfn/rollout"
	"github.com/penguinshop/delivery/tests/need"
)

// window is a terminal of the kernel's, and what a person sees in it.
type window struct {
	t             *testing.T
	tty           *os.File
	width, height int

	mu       sync.Mutex
	rows     [][]rune
	row, col int
	colours  bool
	strange  []string // what the window does not understand
	read     chan struct{}
}

// newWindow opens a window of the size. What is written into its tty shows in it.
func newWindow(t *testing.T, width, height int) *window {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		need.Missing(t, "a terminal, which the kernel does not give: %v", err)
	}
	require.NoError(t, unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0))
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	require.NoError(t, err)
	tty, err := os.OpenFile(fmt.Sprint("/dev/pts/", number), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	require.NoError(t, unix.IoctlSetWinsize(int(tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: uint16(height), Col: uint16(width)}))
	w := &window{t: t, tty: tty, width: width, height: height, read: make(chan struct{})}
	w.clear()
	go func() {
		defer close(w.read)
		var pending []byte
		chunk := make([]byte, 4096)
		for {
			n, err := master.Read(chunk)
			pending = w.show(append(pending, chunk[:n]...))
			if err != nil {
				return // the tty was closed
			}
		}
	}()
	t.Cleanup(func() { master.Close() })
	return w
}

var escape = regexp.MustCompile(`^\x1b\[([0-9;]*)([A-Za-z])`)

// show takes what was written, and returns what is not whole yet.
func (w *window) show(text []byte) []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(text) > 0 {
		if text[0] == '\x1b' {
			found := escape.FindSubmatch(text)
			if found == nil {
				return text
			}
			w.control(string(found[1]), string(found[2]))
			text = text[len(found[0]):]
			continue
		}
		r, size := rune(text[0]), 1
		if r >= 0x80 {
			runes := []rune(string(text[:min(4, len(text))]))
			if r, size = runes[0], len(string(runes[0])); r == '\uFFFD' {
				return text
			}
		}
		w.put(r)
		text = text[size:]
	}
	return nil
}

func (w *window) control(argument, verb string) {
	switch n, _ := strconv.Atoi(argument); {
	case verb == "m":
		w.colours = true
	case verb == "A":
		w.row, w.col = max(0, w.row-n), 0
	case verb == "J" && argument == "":
		for i := w.row; i < w.height; i++ {
			w.rows[i] = nil
		}
	case verb == "J" && argument == "2":
		w.rows = make([][]rune, w.height)
	case verb == "H" && argument == "":
		w.row, w.col = 0, 0
	default:
		w.strange = append(w.strange, argument+verb)
	}
}

func (w *window) clear() { w.rows, w.row, w.col = make([][]rune, w.height), 0, 0 }

func (w *window) put(r rune) {
	switch {
	case r == '\r':
		w.col = 0
		return
	case r == '\n' || w.col == w.width:
		if w.row++; w.row == w.height {
			w.rows, w.row = append(w.rows[1:], nil), w.height-1
		}
		if r == '\n' {
			return
		}
		w.col = 0
	}
	for len(w.rows[w.row]) < w.col {
		w.rows[w.row] = append(w.rows[w.row], ' ')
	}
	w.rows[w.row] = append(w.rows[w.row][:w.col], r)
	w.col++
}

// seen closes the terminal and returns what stands in the window.
func (w *window) seen() string {
	w.t.Helper()
	require.NoError(w.t, w.tty.Close())
	<-w.read
	assert.Empty(w.t, w.strange)
	var lines []string
	for _, row := range w.rows {
		lines = append(lines, strings.TrimRight(string(row), " "))
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n")
}

// plain is a page as it stands where nothing stood before.
func plain(width int, all []operator.Status) string {
	var out bytes.Buffer
	page{out: &out, width: width}.status(all)
	var lines []string
	for line := range strings.Lines(out.String()) {
		for line = strings.TrimRight(line, " \n"); len([]rune(line)) > width; line = string([]rune(line)[width:]) {
			lines = append(lines, strings.TrimRight(string([]rune(line)[:width]), " "))
		}
		lines = append(lines, strings.TrimRight(line, " "))
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n")
}

// course is how a release looks from its beginning to its end: pages of several lengths.
func course() [][]operator.Status {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	page := func(environments int, green int, reason string) []operator.Status {
		var all []operator.Status
		for _, name := range []string{"dev", "qa", "prod"}[:environments] {
			n, blue := green, 100-green
			s := operator.Status{Environment: name, Strategy: operator.BlueGreen, URL: "https://" + name + ".shop.example.com", At: at,
				Weights: &rollout.Weights{Blue: blue, Green: green}, Sides: []operator.Side{
					{Colour: rollout.Blue, Weight: &blue, Commit: strings.Repeat("0", 40)}, {Colour: rollout.Green, Weight: &n, Commit: strings.Repeat("1", 40)}}}
			if reason != "" {
				s.Last = &operator.Ending{Outcome: "rolledBack", At: at, Message: reason}
			}
			all = append(all, s)
		}
		return all
	}
	return [][]operator.Status{
		page(1, 0, ""), page(3, 5, strings.Repeat("a reason that goes on over several lines, ", 6)), page(3, 50, ""), page(2, 100, "short"), page(1, 100, ""),
	}
}

func TestWatchRedrawsItsPageAndLeavesNothingOfTheOneBefore(t *testing.T) {
	t.Setenv("TERM", "xterm-256color")
	for name, size := range map[string]struct{ width, height int }{
		"a usual window": {80, 40}, "a wide one": {200, 50}, "one that is narrower than the page": {50, 60}, "one that is lower than the page": {80, 8},
	} {
		t.Run(name, func(t *testing.T) {
			for last := range course() {
				w := newWindow(t, size.width, size.height)
				v := &view{page: pageOf(w.tty), said: map[string]string{}}
				for _, all := range course()[:last+1] {
					v.show(all)
				}
				want := strings.Split(plain(size.width, course()[last]), "\n")
				want = want[max(0, len(want)-size.height+1):]
				assert.Equal(t, strings.Join(want, "\n"), w.seen(), "after %d pages", last+1)
				assert.True(t, w.colours)
			}
		})
	}
}

func TestAWindowThatBecomesAnotherSizeIsDrawnAnew(t *testing.T) {
	w := newWindow(t, 80, 40)
	v := &view{page: pageOf(w.tty), said: map[string]string{}}
	v.show(course()[0])
	require.NoError(t, unix.IoctlSetWinsize(int(w.tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: 120}))
	v.show(course()[1])
	assert.Equal(t, 120, v.width)
	w.seen()
}

func TestNoColourIsWrittenWhereNoneIsWished(t *testing.T) {
	for name, value := range map[string]string{"NO_COLOR": "1", "TERM": "dumb"} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("TERM", "xterm")
			t.Setenv(name, value)
			w := newWindow(t, 80, 40)
			v := &view{page: pageOf(w.tty), said: map[string]string{}}
			for _, all := range course() {
				v.show(all)
			}
			assert.Equal(t, plain(80, course()[4]), w.seen())
			assert.False(t, w.colours)
		})
	}
}

func TestEveryLineOfAPageFitsInEightyColumns(t *testing.T) {
	for _, all := range course() {
		fits(t, plain(narrow, all))
	}
}

func TestPipedAChangeIsALineAndNothingElseIs(t *testing.T) {
	var out bytes.Buffer
	v := &view{page: pageOf(&out), said: map[string]string{}}
	for _, all := range course() {
		v.show(all)
		v.show(all)
	}
	assert.NotContains(t, out.String(), "\x1b")
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	assert.Len(t, lines, 1+3+3+2+1)
	for _, line := range lines {
		assert.Regexp(t, `^\d\d:\d\d:\d\d (dev|qa|prod) blue \d+, green \d+; `, line)
	}
}

func TestARealReleaseIsWatchedOnATerminal(t *testing.T) {
	world := open(t, quick)
	world.release()
	world.asked()
	require.Zero(t, world.sandbox("approve", "--yes").code)
	w := newWindow(t, 80, 40)
	c := command()
	c.SetOut(w.tty)
	var said bytes.Buffer
	c.SetErr(&said)
	require.Zero(t, execute(context.Background(), c, []string{"watch", "dev", "--interval", "500ms", "--sandbox"}), said.String())
	page := w.seen()
	assert.Equal(t, 1, strings.Count(page, "environment"), "one page, drawn over the ones before:\n%s", page)
	assert.Contains(t, page, "100 %")
	assert.Contains(t, said.String(), "promoted")
}
