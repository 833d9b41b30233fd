package terminal_test

import (
	"context"
	"io"
	"strings"
	"testing"

	"charm.land/lipgloss/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/journal"
	"github.com/penguinshop/delivery/sandbox/terminal"
	"github.com/penguinshop/delivery/sandbox/world"
)

type fields = map[string]any

func screen(width int, environ ...string) (*terminal.Screen, *strings.Builder) {
	var out strings.Builder
	return terminal.New(terminal.Options{Out: &out, Environ: environ, Width: width}), &out
}

func action(status, stage, name, provider string, more fields) journal.Entry {
	all := fields{"stage": stage, "action": name, "provider": provider, "status": status, "actionExecution": stage + name}
	for key, value := range more {
		all[key] = value
	}
	return journal.Entry{Service: "codepipeline", Kind: "action", Fields: all}
}

func delivery(s *terminal.Screen) {
	s.Say("podman runs the containers; %s", strings.Repeat("a long sentence, ", 10))
	s.Show(action("InProgress", "Build", "image", "CodeBuild", nil))
	s.Show(journal.Entry{Service: "codebuild", Kind: "log", Text: "npm ERR! 3 tests failed"})
	s.Show(action("Failed", "Build", "image", "CodeBuild", fields{"message": strings.Repeat("the app's tests fail; ", 20)}))
	s.Show(action("InProgress", "dev", "shift", "Lambda", nil))
	s.Show(journal.Entry{Service: "world", Kind: "weights", Environment: "dev", Fields: fields{"blue": 75, "green": 25}})
	s.Show(action("Succeeded", "dev", "shift", "Lambda", fields{"summary": "green has all traffic"}))
	s.Table(world.Summary{Commit: strings.Repeat("a", 40), Image: "sha256:" + strings.Repeat("b", 64), Runtime: "podman", Seconds: 61.4,
		Environments: []world.EnvironmentSummary{{Name: "production", URL: "http://127.0.0.1:8080", Live: "green", Weights: world.Weights{Green: 100},
			Version: strings.Repeat("a", 40), Requests: 123_456, Failed: 7, ShiftSeconds: 12.34}}})
}

func TestEveryLineFitsItsTerminal(t *testing.T) {
	s, out := screen(80, "TERM=xterm-256color")
	delivery(s)
	for line := range strings.Lines(out.String()) {
		assert.LessOrEqual(t, lipgloss.Width(strings.TrimSuffix(line, "\n")), 80, line)
	}
}

func TestWhatIsNoTerminalGetsPlainLines(t *testing.T) {
	s, out := screen(80, "TERM=xterm-256color")
	delivery(s)
	assert.NotContains(t, out.String(), "\x1b")
	assert.NotContains(t, out.String(), "\r")
	for _, want := range []string{"Build image", "dev shift", "green has all traffic", "npm ERR! 3 tests failed", "75 ", " 25 green", "0/100", "aaaaaaaaa ", "7 │"} {
		assert.Contains(t, out.String(), want)
	}
}

func TestABuildsLogIsShownWhenItFailsOnly(t *testing.T) {
	s, out := screen(80)
	s.Show(action("InProgress", "Build", "image", "CodeBuild", nil))
	s.Show(journal.Entry{Service: "codebuild", Kind: "log", Text: "all is well"})
	s.Show(action("Succeeded", "Build", "image", "CodeBuild", nil))
	assert.NotContains(t, out.String(), "all is well")
}

func TestAQuestionIsAskedUntilItIsAnswered(t *testing.T) {
	for typed, want := range map[string]bool{"what?\nYes\n": true, "\nn\n": false} {
		s, out := screen(80)
		yes, err := s.Ask(t.Context(), "Approve?", terminal.Answers(strings.NewReader(typed)))
		require.NoError(t, err)
		assert.Equal(t, want, yes)
		assert.Equal(t, 2, strings.Count(out.String(), "Approve? [y/n]"))
	}
	s, _ := screen(80)
	_, err := s.Ask(t.Context(), "Approve?", terminal.Answers(strings.NewReader("")))
	assert.ErrorIs(t, err, io.EOF)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	reader, writer := io.Pipe()
	defer writer.Close()
	_, err = s.Ask(ctx, "Approve?", terminal.Answers(reader))
	assert.ErrorIs(t, err, context.Canceled)
}
