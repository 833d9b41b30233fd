package lambda_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/graph"
	"github.com/penguinshop/delivery/sandbox/journal"
	"github.com/penguinshop/delivery/sandbox/lambda"
	"github.com/penguinshop/delivery/shiftfn/adapter"
	"github.com/penguinshop/delivery/shiftfn/settings"
)

const (
	functionType = "aws:lambda/function:Function"
	configType   = "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig"
	arn          = "arn:aws:lambda:eu-central-1:123456789012:function:shift"
)

type object = map[string]any

func resource(inputs object) graph.Resource {
	outputs := object{"arn": arn}
	for key, value := range inputs {
		outputs[key] = value
	}
	return graph.Resource{URN: "urn:shift", ID: "shift", Inputs: inputs, Outputs: outputs}
}

// open raises the service with one function whose invocations end as the program says.
func open(t *testing.T, more object, program lambda.Program, body func(s *lambda.Service, j *journal.Journal)) {
	synctest.Test(t, func(t *testing.T) {
		clock := clockwork.NewRealClock()
		j := journal.New(clock)
		s := lambda.New(lambda.Config{Clock: clock, Journal: j, Clients: func() adapter.Clients { return adapter.Clients{} },
			Log: func(string, string, string) {}})
		defer func() { assert.NoError(t, s.Close()) }()
		inputs := object{"name": "shift", "timeout": 60, "environment": object{"variables": object{settings.Variable: `{"environment":"dev"}`}}}
		for key, value := range more {
			inputs[key] = value
		}
		require.NoError(t, s.Providers()[functionType].Create(t.Context(), resource(inputs)))
		if program != nil {
			s.Wrap(func(lambda.Program) lambda.Program { return program })
		}
		body(s, j)
	})
}

type attempts struct {
	mu sync.Mutex
	at []time.Duration
}

func (a *attempts) note(began time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.at = append(a.at, time.Since(began))
}

func (a *attempts) all() []time.Duration {
	synctest.Wait()
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.at)
}

func TestAnInvocation(t *testing.T) {
	t.Run("gets the declared variables, the event and its end", func(t *testing.T) {
		var got lambda.Invocation
		open(t, nil, func(_ context.Context, i lambda.Invocation) error { got = i; return nil }, func(s *lambda.Service, _ *journal.Journal) {
			require.NoError(t, s.InvokeAsync(t.Context(), arn, []byte(`{"a":1}`)))
			synctest.Wait()
			assert.Equal(t, `{"environment":"dev"}`, got.Variables[settings.Variable])
			assert.JSONEq(t, `{"a":1}`, string(got.Event))
			assert.Equal(t, time.Now().Add(time.Minute), got.End)
		})
	})
	t.Run("is ended at the declared timeout, and repeated twice by default", func(t *testing.T) {
		began, tried := time.Time{}, &attempts{}
		open(t, nil, func(ctx context.Context, _ lambda.Invocation) error {
			tried.note(began)
			<-ctx.Done()
			return ctx.Err()
		}, func(s *lambda.Service, j *journal.Journal) {
			began = time.Now()
			require.NoError(t, s.InvokeAsync(t.Context(), "shift", nil))
			time.Sleep(time.Hour)
			assert.Equal(t, []time.Duration{0, 2 * time.Minute, 5 * time.Minute}, tried.all())
			assert.Contains(t, j.Since(0)[0].Text, "timeout")
		})
	})
	t.Run("is not repeated where no retry is declared, whatever ends it", func(t *testing.T) {
		for name, end := range map[string]func(){"a panic": func() { panic("boom") }, "a crash": runtime.Goexit} {
			tried := &attempts{}
			open(t, nil, func(context.Context, lambda.Invocation) error { tried.note(time.Now()); end(); return nil }, func(s *lambda.Service, j *journal.Journal) {
				require.NoError(t, s.Providers()[configType].Create(t.Context(), resource(object{"functionName": "shift", "maximumRetryAttempts": 0})))
				require.NoError(t, s.InvokeAsync(t.Context(), "shift", nil))
				time.Sleep(time.Hour)
				assert.Len(t, tried.all(), 1, name)
				assert.Len(t, j.Since(0), 1, name)
			})
		}
	})
	t.Run("waits while the reserved concurrency is used up", func(t *testing.T) {
		began, tried := time.Time{}, &attempts{}
		open(t, object{"reservedConcurrentExecutions": 1}, func(context.Context, lambda.Invocation) error {
			tried.note(began)
			time.Sleep(10 * time.Second)
			return nil
		}, func(s *lambda.Service, _ *journal.Journal) {
			began = time.Now()
			for range 2 {
				require.NoError(t, s.InvokeAsync(t.Context(), "shift", nil))
			}
			time.Sleep(time.Minute)
			assert.Equal(t, []time.Duration{0, 10 * time.Second}, tried.all())
		})
	})
	t.Run("is refused for a service without a permission", func(t *testing.T) {
		open(t, nil, func(context.Context, lambda.Invocation) error { return errors.New("not reached") }, func(s *lambda.Service, _ *journal.Journal) {
			err := s.InvokeFor(t.Context(), "events.amazonaws.com", "arn:rule", arn, nil)
			assert.ErrorContains(t, err, "may not invoke")
			allowed := resource(object{"function": "shift", "action": "lambda:InvokeFunction", "principal": "events.amazonaws.com", "sourceArn": "arn:rule"})
			provider := s.Providers()["aws:lambda/permission:Permission"]
			require.NoError(t, provider.Create(t.Context(), allowed))
			assert.NoError(t, s.InvokeFor(t.Context(), "events.amazonaws.com", "arn:rule", arn, nil))
			require.NoError(t, provider.Delete(t.Context(), allowed))
			assert.Error(t, s.InvokeFor(t.Context(), "events.amazonaws.com", "arn:rule", arn, nil))
		})
	})
}

func TestTheLinkedProgramReadsItsSettingsStrictly(t *testing.T) {
	open(t, object{"environment": object{"variables": object{settings.Variable: `{"clutter":1}`}}}, nil, func(s *lambda.Service, j *journal.Journal) {
		require.NoError(t, s.InvokeAsync(t.Context(), "shift", []byte(`{}`)))
		synctest.Wait()
		assert.Contains(t, j.Since(0)[0].Text, `unknown field "clutter"`)
	})
}

func TestAFunctionThatIsNotShiftfnIsRefusedByName(t *testing.T) {
	clock := clockwork.NewFakeClock()
	s := lambda.New(lambda.Config{Clock: clock, Journal: journal.New(clock)})
	err := s.Providers()[functionType].Create(t.Context(), resource(object{"name": "other"}))
	assert.ErrorContains(t, err, "urn:shift: its environment has no variable "+settings.Variable)
	err = s.Providers()[functionType].Create(t.Context(), resource(object{"layers": []any{"x"}}))
	assert.ErrorContains(t, err, "does not imitate the input layers")
}

func TestAFunctionsConfigurationIsReadByNameOrARN(t *testing.T) {
	open(t, object{"memorySize": 128, "loggingConfig": object{"logFormat": "JSON", "logGroup": "shift-log"}}, nil, func(s *lambda.Service, _ *journal.Journal) {
		for _, name := range []string{"shift", arn} {
			got, err := s.GetFunctionConfiguration(t.Context(), &sdk.GetFunctionConfigurationInput{FunctionName: &name})
			require.NoError(t, err)
			assert.Equal(t, map[string]string{settings.Variable: `{"environment":"dev"}`}, got.Environment.Variables)
			assert.Equal(t, "shift-log", *got.LoggingConfig.LogGroup)
			assert.EqualValues(t, 60, *got.Timeout)
			assert.Equal(t, arn, *got.FunctionArn)
		}
		other := "other"
		_, err := s.GetFunctionConfiguration(t.Context(), &sdk.GetFunctionConfigurationInput{FunctionName: &other})
		var missing *types.ResourceNotFoundException
		assert.ErrorAs(t, err, &missing)
	})
}

func TestInvokeHandsTheEventOverAndRefusesWhatIsNotImitated(t *testing.T) {
	var got []byte
	program := func(_ context.Context, i lambda.Invocation) error {
		got = i.Event
		return nil
	}
	open(t, nil, program, func(s *lambda.Service, _ *journal.Journal) {
		out, err := s.Invoke(t.Context(), &sdk.InvokeInput{FunctionName: new(arn), InvocationType: types.InvocationTypeEvent, Payload: []byte(`{"command":"wake"}`)})
		require.NoError(t, err)
		assert.EqualValues(t, 202, out.StatusCode)
		synctest.Wait()
		assert.JSONEq(t, `{"command":"wake"}`, string(got))

		_, err = s.Invoke(t.Context(), &sdk.InvokeInput{FunctionName: new("other"), InvocationType: types.InvocationTypeEvent})
		assert.ErrorAs(t, err, new(*types.ResourceNotFoundException))
		_, err = s.Invoke(t.Context(), &sdk.InvokeInput{FunctionName: new(arn), InvocationType: types.InvocationTypeRequestResponse})
		assert.ErrorContains(t, err, "the sandbox imitates Event alone")
		_, err = s.Invoke(t.Context(), &sdk.InvokeInput{FunctionName: new(arn), InvocationType: types.InvocationTypeEvent, Payload: []byte(`{`)})
		assert.ErrorAs(t, err, new(*types.InvalidRequestContentException))
	})
}
