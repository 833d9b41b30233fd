// Package wire carries calls of the AWS SDK to a running sandbox. A program makes its clients from Config instead of the
// SDK's own configuration and uses them as it would in AWS; each call's input travels as JSON to the sandbox, whose services
// have methods of the same shape, and the output comes back. Nothing is signed and nothing leaves the machine: the sandbox
// listens on loopback, and a token that only the same user can read opens it.
package wire

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"

	"github.com/aws/smithy-go"
)

// path is where the calls arrive: one POST for each operation of each service.
const path = "/aws/"

// largest is the most that one call's input may weigh, as a guard against a runaway client.
const largest = 1 << 20

// failure is an API error on its way.
type failure struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Handler answers calls for services, which are keyed by the SDK's ServiceID ("ECS", "Elastic Load Balancing v2", …); a
// service is any value with methods of the SDK clients' shape. Calls without the token are refused.
func Handler(token string, services map[string]any) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+path+"{service}/{operation}", func(w http.ResponseWriter, r *http.Request) {
		if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte("Bearer "+token)) != 1 {
			refuse(w, http.StatusForbidden, failure{"AccessDeniedException", "the token is not this sandbox's"})
			return
		}
		service, operation := r.PathValue("service"), r.PathValue("operation")
		call, input, err := find(services, service, operation)
		if err != nil {
			refuse(w, http.StatusNotFound, failure{"UnknownOperationException", err.Error()})
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, largest))
		if err == nil {
			err = json.Unmarshal(body, input.Interface())
		}
		if err != nil {
			refuse(w, http.StatusBadRequest, failure{"SerializationException", fmt.Sprintf("reading %s's input: %v", operation, err)})
			return
		}
		output, err := call(r.Context())
		if err != nil {
			refuse(w, http.StatusBadRequest, failureOf(err))
			return
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(output) //nolint:errcheck // the client went away
	})
	return mux
}

// find returns a bound call of the operation and the input value that it will be made with.
func find(services map[string]any, service, operation string) (func(context.Context) (any, error), reflect.Value, error) {
	target, ok := services[service]
	if !ok {
		return nil, reflect.Value{}, fmt.Errorf("the sandbox has no service %q", service)
	}
	method := reflect.ValueOf(target).MethodByName(operation)
	if !method.IsValid() || !shaped(method.Type()) {
		return nil, reflect.Value{}, fmt.Errorf("the sandbox does not imitate %s of %s: docs/sandbox.md lists what it does", operation, service)
	}
	input := reflect.New(method.Type().In(1).Elem())
	return func(ctx context.Context) (any, error) {
		out := method.Call([]reflect.Value{reflect.ValueOf(ctx), input})
		err, _ := out[1].Interface().(error)
		return out[0].Interface(), err
	}, input, nil
}

// shaped reports whether a method looks like an SDK client's: (ctx, *Input, ...func(*Options)) (*Output, error).
func shaped(t reflect.Type) bool {
	return t.IsVariadic() && t.NumIn() == 3 && t.NumOut() == 2 &&
		t.In(0) == reflect.TypeFor[context.Context]() && t.In(1).Kind() == reflect.Pointer &&
		t.Out(0).Kind() == reflect.Pointer && t.Out(1) == reflect.TypeFor[error]()
}

func failureOf(err error) failure {
	if api := smithy.APIError(nil); errors.As(err, &api) {
		return failure{api.ErrorCode(), api.ErrorMessage()}
	}
	return failure{"InternalFailure", err.Error()}
}

func refuse(w http.ResponseWriter, status int, f failure) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(f) //nolint:errcheck // the client went away
}
