package target_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/assert"

	"github.com/penguinshop/delivery/sandbox/target"
)

var errBusy = errors.New("busy")

func TestDeliver(t *testing.T) {
	cases := map[string]struct {
		answers []error
		retry   target.Retry
		tries   int
		err     error
	}{
		"hands over once where the target accepts":      {answers: []error{nil}, retry: target.Defaults, tries: 1},
		"tries again after a failure":                   {answers: []error{errBusy, errBusy, nil}, retry: target.Defaults, tries: 3},
		"gives up when the retries are used up":         {answers: []error{errBusy, errBusy, errBusy}, retry: target.Retry{Attempts: 1, Age: time.Hour}, tries: 2, err: errBusy},
		"gives up when the event is too old":            {answers: []error{errBusy, errBusy}, retry: target.Retry{Attempts: 9, Age: time.Millisecond}, tries: 1, err: errBusy},
		"does not try again where there is nobody":      {answers: []error{target.ErrNotFound}, retry: target.Defaults, tries: 1, err: target.ErrNotFound},
		"does not try again where retries are declared": {answers: []error{errBusy}, retry: target.Retry{Attempts: 0, Age: time.Hour}, tries: 1, err: errBusy},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tries := 0
				err := test.retry.Deliver(t.Context(), clockwork.NewRealClock(), func(_ context.Context, source, arn string, payload []byte) error {
					assert.Equal(t, "rule", source)
					assert.Equal(t, "arn:aws:lambda:eu-central-1:123456789012:function:shift", arn)
					assert.Equal(t, `{"command":"guard"}`, string(payload))
					tries++
					return test.answers[tries-1]
				}, "rule", "arn:aws:lambda:eu-central-1:123456789012:function:shift", []byte(`{"command":"guard"}`))
				assert.ErrorIs(t, err, test.err)
				assert.Equal(t, test.tries, tries)
			})
		})
	}
}

func TestDeliverEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		err := target.Defaults.Deliver(ctx, clockwork.NewRealClock(), func(context.Context, string, string, []byte) error { return errBusy }, "rule", "arn", nil)
		assert.ErrorIs(t, err, errBusy)
		assert.Error(t, ctx.Err())
	})
}
