// Package function starts the Lambda binary as Lambda does, against local stand-ins of Lambda's runtime API and of the AWS
// services that a job calls, and measures the way to its first answered job.
package function

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

const requestID = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"

// runtime stands in for Lambda's runtime API (AWS Lambda developer guide, "Using the Lambda runtime API"): it hands out one
// event, takes the answer, and lets the next question for an event wait.
type runtime struct {
	event   []byte
	handed  chan struct{}      // holds one value until the event is handed out
	answers chan answeredEvent // how the function ended the event
	done    <-chan struct{}
}

type answeredEvent struct {
	at    time.Time
	error string
}

func newRuntime(event []byte, done <-chan struct{}) *runtime {
	r := &runtime{event: event, handed: make(chan struct{}, 1), answers: make(chan answeredEvent, 1), done: done}
	r.handed <- struct{}{}
	return r
}

func (r *runtime) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", func(w http.ResponseWriter, request *http.Request) {
		select {
		case <-r.handed:
		case <-r.done:
			return
		case <-request.Context().Done():
			return
		}
		w.Header().Set("Lambda-Runtime-Aws-Request-Id", requestID)
		w.Header().Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(time.Now().Add(15*time.Minute).UnixMilli(), 10))
		w.Header().Set("Lambda-Runtime-Invoked-Function-Arn", functionARN)
		w.Header().Set("Content-Type", "application/json")
		w.Write(r.event)
	})
	answer := func(what string) http.HandlerFunc {
		return func(w http.ResponseWriter, request *http.Request) {
			a := answeredEvent{at: time.Now()}
			if what != "" {
				var detail struct {
					Message string `json:"errorMessage"`
				}
				_ = json.NewDecoder(request.Body).Decode(&detail) // an unreadable message is still an error
				a.error = fmt.Sprintf("%s: %s", what, detail.Message)
			}
			w.WriteHeader(http.StatusAccepted)
			select {
			case r.answers <- a:
			default:
			}
		}
	}
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/response", answer(""))
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/error", answer("the function answered with an error"))
	mux.HandleFunc("POST /2018-06-01/runtime/init/error", answer("the function did not start"))
	return mux
}
