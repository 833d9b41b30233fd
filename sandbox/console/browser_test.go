package console_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/device"
	"github.com/penguinshop/delivery/sandbox/console"
	"github.com/penguinshop/delivery/tests/need"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func copyTo(w io.Writer, r *http.Response) (int64, error) { return io.Copy(w, r.Body) }

// browser opens the console in a real Chromium and collects what the page complains of.
type browser struct {
	context.Context
	server   *httptest.Server
	mu       sync.Mutex
	problems []string
}

func open(t *testing.T, s *stage) *browser {
	t.Helper()
	chromium := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			chromium = path
			break
		}
	}
	charts := console.ChartsIn("../..")
	if chromium == "" || charts == "" {
		need.Missing(t, "Chromium (Debian: apt-get install chromium) and `npm ci` in sandbox/console/page: run `scripts/setup test`")
	}
	server := httptest.NewServer(console.Handler(s, console.Options{Charts: charts}))
	// A browser keeps its event stream open: end it before the server waits for it.
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })

	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium), chromedp.WindowSize(1280, 1000), chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium refuses its own sandbox to root
	}
	allocator, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	tab, closeTab := chromedp.NewContext(allocator)
	t.Cleanup(closeTab)
	bounded, cancel := context.WithTimeout(tab, time.Minute)
	t.Cleanup(cancel)

	b := &browser{Context: bounded, server: server}
	require.NoError(t, chromedp.Listen(tab, func(event any) {
		b.mu.Lock()
		defer b.mu.Unlock()
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			b.problems = append(b.problems, e.ExceptionDetails.Text)
		case *log.EventEntryAdded:
			if e.Entry.Level == log.EntryLevelError {
				b.problems = append(b.problems, e.Entry.Text+" "+e.Entry.URL)
			}
		}
	}))
	_, err := chromedp.Call(bounded, log.Enable, cdp.Empty{})
	require.NoError(t, err)
	b.run(t, chromedp.Navigate(server.URL), chromedp.WaitVisible(chromedp.CSS("#cards article")),
		// What a click is aimed at must not move any more: the first state, its approval, its charts and the font are there.
		chromedp.Poll[chromedp.Void](`document.querySelectorAll('.charts canvas').length >= 4 &&
			!document.getElementById('approvals').hidden && document.querySelector('#events li') !== null`))
	return b
}

func (b *browser) run(t *testing.T, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	require.NoError(t, chromedp.Do(b, actions...))
}

// ask runs one action and returns its value.
func ask[T any](t *testing.T, b *browser, action chromedp.Action[T]) T {
	t.Helper()
	value, err := chromedp.Run(b, action)
	require.NoError(t, err)
	return value
}

func (b *browser) text(t *testing.T, selector string) string {
	t.Helper()
	return ask(t, b, chromedp.Text(chromedp.CSS(selector)))
}

func (b *browser) clean(t *testing.T) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	assert.Empty(t, b.problems, "the page complained in its console")
}

// shoot keeps a picture of the page where SCREENSHOTS names a folder, for a person to look at.
func (b *browser) shoot(t *testing.T, name string) {
	t.Helper()
	folder := os.Getenv("SCREENSHOTS")
	if folder == "" {
		return
	}
	picture := ask(t, b, chromedp.FullScreenshot(90))
	require.NoError(t, os.WriteFile(filepath.Join(folder, name+".jpg"), picture, 0o644))
}

func TestAnApprovalGivenInThePageReachesTheWorld(t *testing.T) {
	s := newStage(t)
	b := open(t, s)
	b.run(t,
		chromedp.WaitVisible(chromedp.CSS("#approvals article")),
		chromedp.SendKeys(chromedp.CSS("#approvals input"), "looks good"),
		chromedp.Click(chromedp.CSS("#approvals button.primary")),
		chromedp.WaitNotVisible(chromedp.CSS("#approvals")),
	)
	assert.Equal(t, []console.Answer{{
		Stage: "prod", Action: "approve", Token: "token-1", Approved: true, Comment: "looks good",
	}}, s.answered)
	b.clean(t)
}

func TestTheKeyboardAloneGivesAnApproval(t *testing.T) {
	s := newStage(t)
	b := open(t, s)
	b.run(t,
		chromedp.WaitVisible(chromedp.CSS("#approvals article")),
		chromedp.Focus(chromedp.CSS("#approvals input")),
		chromedp.KeyEvent("\t"), chromedp.KeyEvent("\r"),
		chromedp.WaitNotVisible(chromedp.CSS("#approvals")),
	)
	assert.Len(t, s.answered, 1)
	assert.True(t, s.answered[0].Approved)
}

func TestAShiftIsSeenMovingWithoutReloading(t *testing.T) {
	s := newStage(t)
	b := open(t, s)
	label := `document.querySelector('.weights').getAttribute('aria-label')`
	b.run(t, chromedp.Poll[chromedp.Void](label+` === 'traffic: blue 90 percent, green 10 percent'`))
	s.change(func(state *console.State) {
		environments := append([]console.Environment(nil), state.Environments...)
		environments[0].Blue.Weight, environments[0].Green.Weight = 50, 50
		state.Environments = environments
	})
	b.run(t, chromedp.Poll[chromedp.Void](label+` === 'traffic: blue 50 percent, green 50 percent'`))
	canvases := ask(t, b, chromedp.Evaluate[int](`document.querySelectorAll('.charts canvas').length`))
	assert.Equal(t, 4, canvases, "the four charts are drawn")
	b.clean(t)
}

func TestTheRollbackButtonAsksAndThenRollsBack(t *testing.T) {
	s := newStage(t)
	b := open(t, s)
	rollback := "#cards article nav button"
	b.run(t,
		chromedp.Click(chromedp.CSS(rollback)), chromedp.WaitVisible(chromedp.CSS("#confirm")),
		chromedp.Click(chromedp.CSS(`#confirm button[value="no"]`)), chromedp.WaitNotVisible(chromedp.CSS("#confirm")))
	assert.Empty(t, s.rolled, "the harmless answer changes nothing")
	b.run(t,
		chromedp.Click(chromedp.CSS(rollback)), chromedp.WaitVisible(chromedp.CSS("#confirm")),
		chromedp.Click(chromedp.CSS(`#confirm-yes`)), chromedp.WaitVisible(chromedp.CSS("#notice")))
	assert.Equal(t, []string{"dev"}, s.rolled)
	assert.Contains(t, b.text(t, "#notice"), "rolled back to green")
	b.clean(t)
}

func TestAnAnswerGivenFasterThanTheBrowserTellsTheLastOneStillCounts(t *testing.T) {
	s := newStage(t)
	b := open(t, s)
	// All in one task of the page: the first question's close event comes only after the second question stands.
	b.run(t, chromedp.Poll[chromedp.Void](`(() => {
			const button = document.querySelector('#cards article nav button');
			button.click(); document.getElementById('confirm').close('no'); button.click();
			return true;
		})()`),
		chromedp.Click(chromedp.CSS(`#confirm-yes`)), chromedp.WaitVisible(chromedp.CSS("#notice")))
	assert.Equal(t, []string{"dev"}, s.rolled)
}

func TestADrillIsStartedFromThePageAfterItHasAsked(t *testing.T) {
	s := newStage(t)
	b := open(t, s)
	start := `#drills button[aria-label="start the drill exits-at-start"]`
	b.run(t, chromedp.Poll[chromedp.Void](`document.querySelector('#drills li[data-key="slow"] .outcome').textContent === 'rolled back; 0 of 2389 requests failed'`),
		chromedp.Click(chromedp.CSS(start)), chromedp.WaitVisible(chromedp.CSS("#confirm")),
		chromedp.Click(chromedp.CSS(`#confirm button[value="no"]`)), chromedp.WaitNotVisible(chromedp.CSS("#confirm")))
	assert.Empty(t, s.drilled, "the harmless answer breaks nothing")
	b.run(t, chromedp.Click(chromedp.CSS(start)), chromedp.WaitVisible(chromedp.CSS("#confirm")),
		chromedp.Click(chromedp.CSS(`#confirm-yes`)),
		chromedp.Poll[chromedp.Void](`document.querySelector('#drills .outcome').textContent === 'running' &&
			[...document.querySelectorAll('#drills button')].every((button) => button.disabled)`))
	s.mu.Lock()
	assert.Equal(t, []string{"exits-at-start"}, s.drilled)
	s.mu.Unlock()
	s.change(func(state *console.State) {
		drills := append([]console.Drill(nil), state.Drills...)
		drills[0].Running, drills[0].Outcome = false, "promoted; it was to be rolled back"
		state.Drills = drills
	})
	b.run(t, chromedp.Poll[chromedp.Void](`document.querySelector('#drills .outcome').dataset.status === 'Failed' &&
		document.querySelector('#drills .outcome').textContent === 'promoted; it was to be rolled back'`))
	b.clean(t)
}

func TestAnActionsLogOpens(t *testing.T) {
	b := open(t, newStage(t))
	b.run(t, chromedp.Click(chromedp.CSS(`#stages button[aria-label="log of dev shift"]`)), chromedp.WaitVisible(chromedp.CSS("#log")),
		chromedp.Poll[chromedp.Void](`document.getElementById('log-text').textContent === 'the log of dev shift'`))
	b.clean(t)
}

func TestThePageHasNoSeriousAccessibilityFinding(t *testing.T) {
	checker, err := os.ReadFile("page/node_modules/axe-core/axe.min.js")
	b := open(t, newStage(t))
	require.NoError(t, err)
	for _, scheme := range []string{"light", "dark"} {
		for name, screen := range map[string]chromedp.Action[chromedp.Void]{
			"desktop": chromedp.EmulateViewport(1280, 1000), "phone": chromedp.Emulate(device.IPhone13),
		} {
			t.Run(name+" "+scheme, func(t *testing.T) {
				_, err := chromedp.Call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
					Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
				})
				require.NoError(t, err)
				b.run(t, screen, chromedp.Reload(),
					chromedp.WaitVisible(chromedp.CSS("#approvals article")), chromedp.WaitVisible(chromedp.CSS("#events li")),
					chromedp.Evaluate[chromedp.Void](string(checker)))
				report := ask(t, b, chromedp.Evaluate[string](
					`axe.run().then((r) => JSON.stringify(r.violations))`, chromedp.EvalAwaitPromise))
				b.shoot(t, "console-"+name+"-"+scheme)
				var findings []struct {
					ID, Impact, Help string
					Nodes            []struct{ HTML string }
				}
				require.NoError(t, json.Unmarshal([]byte(report), &findings))
				var serious []string
				for _, f := range findings {
					if f.Impact == "serious" || f.Impact == "critical" {
						serious = append(serious, fmt.Sprintf("%s: %s: %s", f.ID, f.Help, f.Nodes[0].HTML))
					}
				}
				assert.Empty(t, serious)
				assert.False(t, ask(t, b, chromedp.Evaluate[bool](`document.documentElement.scrollWidth > innerWidth`)), "the page is wider than the screen")
			})
		}
	}
	b.clean(t)
}

func TestASandboxThatEndsIsSaid(t *testing.T) {
	b := open(t, newStage(t))
	b.run(t, chromedp.Poll[chromedp.Void](`document.getElementById('connection').textContent === 'live'`))
	b.server.CloseClientConnections()
	b.server.Close()
	b.run(t, chromedp.Poll[chromedp.Void](`document.getElementById('connection').textContent.includes('does not answer')`))
}
