package codebuild_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/codebuild"
)

func TestAllCommandsShareOneShell(t *testing.T) {
	w := newWorld(t, `
version: 0.2
phases:
  install:
    commands:
      - mkdir -p app && cd app
      - plain=kept
      - say() { echo "said $1"; }
  pre_build:
    commands:
      - set -- one two
      - echo "$plain in $(basename "$PWD") with $#"
  build:
    commands:
      - |
        if true; then
          say "across phases"
        fi
      - printf 'without a line end'
      - echo next
`)
	w.mustBuild()
	assert.Equal(t, []string{"kept in app with 2", "said across phases", "without a line end", "next"}, w.printed())
}

func TestBashIsTheShellWhereTheBuildspecAsksForIt(t *testing.T) {
	w := newWorld(t, "version: 0.2\nenv: {shell: bash}\nphases: {build: {commands: ['words=(a b c)', 'echo \"${words[2]} $BASH\"']}}")
	w.mustBuild()
	assert.Regexp(t, "^c .*/bash$", w.printed()[0])
}

func TestTheLogShowsEachPhaseAndCommand(t *testing.T) {
	w := newWorld(t, "version: 0.2\nphases: {build: {runtime-versions: {nodejs: 24}, commands: ['echo hello']}}\nreports: {}")
	w.mustBuild()
	assert.Equal(t, `[Container] Note: phases.build.runtime-versions: the build asks for nodejs 24 and gets this machine's own
[Container] Note: reports is left out by the sandbox
[Container] Entering phase BUILD
[Container] Running command echo hello
hello
[Container] Phase complete: BUILD State: SUCCEEDED
[Container] Entering phase UPLOAD_ARTIFACTS
[Container] Phase complete: UPLOAD_ARTIFACTS State: SUCCEEDED`, w.log())
}

func TestAFailureEndsThePhaseAndItsFinallyBlockStillRuns(t *testing.T) {
	w := newWorld(t, `
version: 0.2
phases:
  install:
    commands: [echo first, 'sh -c "exit 7"', echo never]
    finally: [echo finally]
  build: {commands: [echo never]}
  post_build: {commands: [echo never]}
`)
	_, err := w.build()
	var failure *codebuild.Failure
	require.ErrorAs(t, err, &failure)
	assert.Equal(t, codebuild.Failure{Phase: "INSTALL", Command: `sh -c "exit 7"`, Status: 7}, *failure)
	assert.ErrorContains(t, err, `build of shop: phase INSTALL: command "sh -c \"exit 7\"" ended with exit status 7`)
	assert.Equal(t, []string{"first", "finally"}, w.printed())
}

func TestWhichPhasesRunAfterAFailure(t *testing.T) {
	for name, c := range map[string]struct {
		failing, onFailure string
		want               string
	}{
		"a failed install is followed by nothing":                 {"install", "", "install"},
		"a failed pre_build is followed by nothing":               {"pre_build", "", "install pre_build"},
		"a failed build is followed by post_build":                {"build", "", "install pre_build build post_build:0"},
		"a failed build that aborts is followed by nothing":       {"build", "ABORT", "install pre_build build"},
		"a failed install that continues is followed by the rest": {"install", "CONTINUE", "install pre_build:0 build:0 post_build:0"},
	} {
		t.Run(name, func(t *testing.T) {
			var spec strings.Builder
			spec.WriteString("version: 0.2\nphases:\n")
			for _, phase := range []string{"install", "pre_build", "build", "post_build"} {
				succeeding := `case $CODEBUILD_BUILD_SUCCEEDING in 0) echo ` + phase + `:0;; *) echo ` + phase + `;; esac`
				spec.WriteString("  " + phase + ":\n    commands:\n      - " + succeeding + "\n")
				if phase == c.failing {
					spec.WriteString("      - false\n")
					if c.onFailure != "" {
						spec.WriteString("    on-failure: " + c.onFailure + "\n")
					}
				}
			}
			w := newWorld(t, spec.String())
			_, err := w.build()
			var failure *codebuild.Failure
			require.ErrorAs(t, err, &failure)
			assert.Equal(t, strings.ToUpper(c.failing), failure.Phase, "a build with a failed phase has failed, whatever follows")
			assert.Equal(t, c.want, strings.Join(w.printed(), " "))
		})
	}
}

func TestACommandThatEndsTheShellFailsWithItsStatusAndLosesNothing(t *testing.T) {
	for name, ending := range map[string]string{
		"exit":           "exit 3",
		"errexit":        "set -e; sh -c 'exit 3'; echo never",
		"exec":           "exec sh -c 'exit 3'",
		"a syntax error": "if then",
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, `
version: 0.2
phases:
  build:
    commands:
      - mkdir deep && cd deep
      - export KEPT="it's kept"
      - >-
        `+ending+`
      - echo never
    finally:
      - echo "$KEPT in $(basename "$PWD")"
`)
			_, err := w.build()
			var failure *codebuild.Failure
			require.ErrorAs(t, err, &failure)
			if name == "a syntax error" {
				assert.NotZero(t, failure.Status)
			} else {
				assert.Equal(t, 3, failure.Status)
			}
			if name == "exec" {
				// What replaced the shell could leave nothing behind: the build goes on from its beginning.
				assert.Contains(t, w.printed()[len(w.printed())-1], " in src")
			} else {
				assert.Contains(t, w.printed(), "it's kept in deep")
			}
			assert.NotContains(t, w.printed(), "never")
		})
	}
}

func TestACommandThatLeavesTheShellWithSuccessSucceeds(t *testing.T) {
	w := newWorld(t, "version: 0.2\nphases: {build: {commands: ['exit 0', 'echo after']}}")
	w.mustBuild()
	assert.Equal(t, []string{"after"}, w.printed())
}

func TestExportedVariablesAreReadFromTheEnvironmentAtTheEnd(t *testing.T) {
	w := newWorld(t, `
version: 0.2
env:
  variables: {DECLARED: first}
  exported-variables: [DECLARED, LINES, PLAIN, ABSENT]
phases:
  build: {commands: ["export LINES='a b\n c'; PLAIN=only-in-the-shell"]}
  post_build: {commands: ['DECLARED=last']}
`)
	built := w.mustBuild()
	assert.Equal(t, map[string]string{"DECLARED": "last", "LINES": "a b\n c"}, built.Variables)
	assert.Contains(t, w.log(), "exported variable PLAIN is not in the build's environment")
	assert.Contains(t, w.log(), "exported variable ABSENT is not in the build's environment")
}
