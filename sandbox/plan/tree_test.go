package plan_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/ansi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/plan"
)

// full is a stack that has everything that a plan shows, with names of every length.
func full() []declared {
	long := strings.Repeat("very-long-", 12)
	return []declared{
		balancer, group, rule, cluster, fleet, goodListener,
		goodLogs.but(object{"kmsKeyId": nil}), goodBuild.but(object{"environment": object{"privilegedMode": true}}),
		{typ: targetsType, name: long, inputs: object{"port": 80}, options: []pulumi.ResourceOption{
			pulumi.IgnoreChanges([]string{"port", "protocol", "healthCheck", "slowStart", "stickiness", "deregistrationDelay"})}},
		{typ: paramType, name: "token", inputs: object{"type": "SecureString", "value": pulumi.ToSecret("hush")}},
		{typ: "aws:glacier/vault:Vault", name: "ice"},
	}
}

func treeOf(t *testing.T, p *plan.Plan) string {
	t.Helper()
	var text strings.Builder
	require.NoError(t, p.WriteTree(&text))
	return text.String()
}

func TestTheTreeFitsEightyColumns(t *testing.T) {
	p := planOf(t, map[string]string{"shop:accept": `[{"rule":"privileged-build","reason":"` + strings.Repeat("words ", 40) + `"}]`}, full()...)
	p.Compare(planOf(t, nil, cluster.but(object{"name": strings.Repeat("n", 200)}), balancer.but(object{"idleTimeout": 30})), "main")
	for line := range strings.SplitSeq(treeOf(t, p), "\n") {
		assert.LessOrEqual(t, ansi.StringWidth(line), 80, line)
	}
}

func TestTheTreeShowsEveryResourceAndWhatIsSpecialAboutIt(t *testing.T) {
	p := planOf(t, nil, full()...)
	text := ansi.Strip(treeOf(t, p))
	for _, r := range p.Resources {
		assert.Contains(t, text, r.Name[:min(len(r.Name), 40)])
	}
	assert.Contains(t, text, "lb/Listener https  ignores defaultActions")
	assert.Contains(t, text, "! cloudwatch/LogGroup app")
	assert.Contains(t, text, "kmsKeyId is not set: name")
	assert.Contains(t, text, "To accept one, add {rule: …, resource: …, reason: …} to shop:accept in")
	assert.Contains(t, text, "lb/LoadBalancer front: takes every request")
	assert.Contains(t, text, "19.71  lb/LoadBalancer front: load balancer")
	assert.Contains(t, text, "aws:glacier/vault:Vault has no stand-in outputs")
	assert.NotContains(t, text, "hush")
}

func TestColoursReachATerminalAlone(t *testing.T) {
	p := planOf(t, nil, full()...)
	require.Contains(t, treeOf(t, p), "\x1b[")
	for name, environment := range map[string][]string{"a pipe": {"TERM=xterm-256color"}, "NO_COLOR": {"TERM=xterm-256color", "NO_COLOR=1"}} {
		t.Run(name, func(t *testing.T) {
			var piped bytes.Buffer
			require.NoError(t, p.WriteTree(colorprofile.NewWriter(&piped, environment)))
			assert.NotContains(t, piped.String(), "\x1b[")
		})
	}
}

func TestTheMarkdownFitsIntoAComment(t *testing.T) {
	small := plan.Markdown([]*plan.Plan{planOf(t, nil, full()...)})
	assert.True(t, strings.HasPrefix(small, plan.Marker+"\n"))
	for _, want := range []string{"### dev", "```mermaid", "Touches traffic", "USD a month at rest", "kmsKeyId is not set"} {
		assert.Contains(t, small, want)
	}
	assert.NotContains(t, small, "hush")
	assert.NotContains(t, small, "Shortened")
	assert.NotContains(t, small, "\x1b[")

	var many, more []declared
	for i := range 400 {
		vault := declared{typ: targetsType, name: fmt.Sprintf("group-with-a-long-name-%d", i), inputs: object{"port": i, "tags": object{"text": strings.Repeat("x", 200)}}}
		many, more = append(many, vault), append(more, vault.but(object{"port": i + 1, "tags": object{"text": strings.Repeat("y", 200)}}))
	}
	p := planOf(t, nil, more...)
	p.Compare(planOf(t, nil, many...), "main")
	large := plan.Markdown([]*plan.Plan{p, p, p, p})
	assert.Less(t, len([]rune(large)), plan.CommentLimit)
	assert.Contains(t, large, "400 replaced")
	assert.Regexp(t, "Shortened to fit|Cut here", large)
	assert.Equal(t, strings.Count(large, "<details>"), strings.Count(large, "</details>"))
}

func TestTheMarkdownEscapesWhatItShows(t *testing.T) {
	p := planOf(t, nil, declared{typ: balancerType, name: "a|b<script>"})
	text := plan.Markdown([]*plan.Plan{p})
	assert.Contains(t, text, `| lb/LoadBalancer a\|b&lt;script&gt; |`)
	assert.NotContains(t, strings.Split(text, "```")[0], "<script>")
}
