package settings

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestACallIsReadWithItsMomentOrWithoutOne(t *testing.T) {
	c, err := ParseCall([]byte(`{"command":"sleep"}`))
	require.NoError(t, err)
	assert.Equal(t, Call{Command: CommandSleep}, c)
	text := strings.Replace(ScheduledCall(CommandWake), "<aws.scheduler.scheduled-time>", "2026-03-05T07:00:00Z", 1)
	c, err = ParseCall([]byte(text))
	require.NoError(t, err)
	assert.Equal(t, Call{Command: CommandWake, Scheduled: time.Date(2026, 3, 5, 7, 0, 0, 0, time.UTC)}, c)
	for text, says := range map[string]string{
		`{"command":"doze"}`:                     `the command is "doze", neither sleep nor wake`,
		`{"command":"sleep","until":"tomorrow"}`: "unknown field",
		`{"command":"sleep"}{}`:                  "goes on after its end",
		ScheduledCall(CommandSleep):              "cannot be read", // nobody has filled the moment in
	} {
		_, err := ParseCall([]byte(text))
		assert.ErrorContains(t, err, says)
	}
}
