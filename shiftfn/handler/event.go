package handler

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/penguinshop/delivery/shiftfn/controller"
	"github.com/penguinshop/delivery/shiftfn/rollout"
	"github.com/penguinshop/delivery/shiftfn/settings"
)

// The commands that a job's user parameters may name.
const (
	commandPrepare = "prepare"
	commandShift   = "shift"
)

// event is what the function is invoked with: exactly one of the four.
type event struct {
	job   *job
	lease *controller.Lease
	call  *settings.Call
	alarm string
}

// job is a pipeline's question.
type job struct {
	id, token string
	command   string
	order     controller.Order
	// refusal says what is wrong with the user parameters; the pipeline must be told.
	refusal string
}

// parseEvent tells the events apart. The event is never part of an error: a job's holds credentials.
func parseEvent(text []byte) (event, error) {
	var envelope struct {
		Job *struct {
			ID   string `json:"id"`
			Data struct {
				ActionConfiguration struct {
					Configuration struct {
						UserParameters string `json:"UserParameters"`
					} `json:"configuration"`
				} `json:"actionConfiguration"`
				ContinuationToken string `json:"continuationToken"`
			} `json:"data"`
		} `json:"CodePipeline.job"`
		// A lease has these two, and neither a job nor an alarm does.
		Version json.RawMessage `json:"version"`
		Kind    string          `json:"kind"`
		// A call to sleep or wake has this one at its top.
		Command string `json:"command"`
		// An alarm comes from EventBridge (detail) or from CloudWatch itself (alarmData).
		Source string `json:"source"`
		Detail struct {
			AlarmName string `json:"alarmName"`
		} `json:"detail"`
		AlarmData struct {
			AlarmName string `json:"alarmName"`
		} `json:"alarmData"`
	}
	if err := json.Unmarshal(text, &envelope); err != nil {
		return event{}, errors.New("the event is not a JSON object of a known shape")
	}
	switch {
	case envelope.Job != nil:
		if envelope.Job.ID == "" {
			return event{}, errors.New("the job has no id, so it cannot be answered")
		}
		j := job{id: envelope.Job.ID, token: envelope.Job.Data.ContinuationToken}
		j.read(envelope.Job.Data.ActionConfiguration.Configuration.UserParameters)
		return event{job: &j}, nil
	case envelope.Source == "aws.cloudwatch":
		if name := envelope.Detail.AlarmName + envelope.AlarmData.AlarmName; name != "" {
			return event{alarm: name}, nil
		}
		return event{}, errors.New("the alarm has no name")
	case envelope.Kind != "":
		lease, err := controller.ParseLease(text)
		return event{lease: &lease}, err
	case envelope.Command != "":
		call, err := settings.ParseCall(text)
		return event{call: &call}, err
	}
	return event{}, errors.New("the event is neither a CodePipeline job, a wake-up by a lease's schedule, a call to sleep or wake, nor an alarm")
}

// parameters are a job's user parameters.
type parameters struct {
	Command   string         `json:"command"`
	Digest    string         `json:"digest"`
	Commit    string         `json:"commit"`
	Candidate rollout.Colour `json:"candidate"`
}

// read takes the user parameters, or says everything that is wrong with them.
func (j *job) read(text string) {
	const example = `{"command":"shift","digest":"#{Build.IMAGE_DIGEST}","commit":"#{Source.CommitId}","candidate":"#{dev-prepare.CandidateColour}"}`
	var p parameters
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&p); err != nil || decoder.More() {
		j.refusal = fmt.Sprintf("UserParameters is not the JSON object that is expected; for example %s", example)
		return
	}
	j.command = p.Command
	j.order = controller.Order{Candidate: p.Candidate, Digest: p.Digest, Commit: p.Commit}
	var problems []string
	switch p.Command {
	case commandPrepare:
		return
	case commandShift:
		if !isDigest(p.Digest) {
			problems = append(problems, fmt.Sprintf("digest is %q, not sha256: and 64 hexadecimal digits", p.Digest))
		}
		if p.Candidate != rollout.Blue && p.Candidate != rollout.Green {
			problems = append(problems, fmt.Sprintf("candidate is %q, neither blue nor green", p.Candidate))
		}
	default:
		problems = append(problems, fmt.Sprintf("command is %q, neither prepare nor shift", p.Command))
	}
	if len(problems) > 0 {
		j.refusal = fmt.Sprintf("UserParameters: %s; for example %s", strings.Join(problems, "; "), example)
	}
}

func isDigest(text string) bool {
	hex, found := strings.CutPrefix(text, "sha256:")
	return found && len(hex) == 64 && strings.Trim(hex, "0123456789abcdef") == ""
}
