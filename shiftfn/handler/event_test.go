package handler

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/shiftfn/settings"
)

// FuzzEvent holds that whatever the function is invoked with is one of the four events, or an error that repeats nothing of it.
func FuzzEvent(f *testing.F) {
	for _, seed := range []string{
		`{}`, `null`, `{"CodePipeline.job":{"id":"1","data":{}}}`, shift("job-1", "{}"), question("job-1", `{"command":"prepare"}`, ""),
		`{"source":"aws.cloudwatch","detail":{"alarmName":"errors"}}`, `{"source":"aws.cloudwatch","alarmData":{"alarmName":"errors"}}`,
		`{"version":1,"kind":"ended","due":"2026-03-01T12:00:00Z","order":{"candidate":"green","digest":""}}`,
		`{"version":1,"kind":"standby","live":"blue","due":"0001-01-01T00:00:00Z"}`, `{"CodePipeline.job":null,"kind":"shift"}`,
		`{"command":"sleep"}`, `{"command":"wake","scheduled":"2026-03-01T07:00:00Z"}`, `{"command":"sleep","scheduled":"<aws.scheduler.scheduled-time>"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		e, err := parseEvent(text)
		if err != nil {
			assert.Less(t, len(err.Error()), 1000)
			return
		}
		found := 0
		if e.job != nil {
			found++
			assert.NotEmpty(t, e.job.id)
			assert.True(t, e.job.refusal != "" || e.job.command == commandPrepare || e.job.command == commandShift)
		}
		if e.alarm != "" {
			found++
		}
		if e.lease != nil {
			found++
			again, err := parseEvent([]byte(e.lease.String()))
			require.NoError(t, err)
			assert.Equal(t, e.lease.String(), again.lease.String())
		}
		if e.call != nil {
			found++
			assert.Contains(t, []string{settings.CommandSleep, settings.CommandWake}, e.call.Command)
		}
		assert.Equal(t, 1, found)
	})
}

// FuzzUserParameters holds that user parameters are taken whole or refused in words.
func FuzzUserParameters(f *testing.F) {
	for _, seed := range []string{
		`{"command":"prepare"}`, `{"command":"shift","digest":"` + digest + `","commit":"c0ffee","candidate":"green"}`,
		`{"command":"shift","digest":"sha256:","candidate":"blue"}`, `{"command":"shift"}{}`, `{"command":"\u0000"}`, `"prepare"`, ``,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var j job
		j.read(text)
		if j.refusal != "" {
			assert.True(t, strings.HasPrefix(j.refusal, "UserParameters"))
			return
		}
		require.True(t, json.Valid([]byte(text)))
		if j.command == commandShift {
			assert.True(t, isDigest(j.order.Digest))
			assert.Contains(t, []string{"blue", "green"}, string(j.order.Candidate))
		} else {
			assert.Equal(t, commandPrepare, j.command)
		}
	})
}
