package codepipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	"github.com/google/uuid"
)

// Functions invokes Lambda functions the way CodePipeline does: without waiting for them.
type Functions interface {
	// InvokeAsync hands the event to the function and returns once it is accepted.
	InvokeAsync(ctx context.Context, function string, event []byte) error
}

const (
	// answerLimit is how long CodePipeline waits for an answer to one job (user guide, Lambda action reference).
	answerLimit = 20 * time.Minute
	// continueAfter is how long the sandbox waits after a continuation token before it invokes again. AWS documents no figure.
	continueAfter = 15 * time.Second
	// maxUserParameters is in characters (user guide, Lambda action reference).
	maxUserParameters = 1_000
)

// invokeAction runs a Lambda function by the job protocol: the function answers, maybe several invocations later, with a
// success, a failure, or a token that asks for another invocation.
type invokeAction struct{ service *Service }

func (invokeAction) check(a action) []string {
	found := append(counts{0, 5, 0, 5}.check(a), keys(a, []string{"FunctionName"}, "UserParameters")...)
	if n := utf8.RuneCountInString(a.Configuration["UserParameters"]); n > maxUserParameters {
		found = append(found, fmt.Sprintf("configuration.UserParameters: AWS takes %d characters, and there are %d", maxUserParameters, n))
	}
	return found
}

func (i invokeAction) run(ctx context.Context, r *actionRun) (outcome, error) {
	s := i.service
	if n := utf8.RuneCountInString(r.configuration["UserParameters"]); n > maxUserParameters {
		return outcome{}, &failure{"ConfigurationError", fmt.Sprintf("UserParameters has %d characters once its variables are filled in, and AWS takes %d", n, maxUserParameters)}
	}
	function, token := r.configuration["FunctionName"], ""
	for {
		open := s.openJob(r.record)
		event, err := json.Marshal(i.event(r, open.id, token))
		if err != nil {
			return outcome{}, err
		}
		if err := s.config.Functions.InvokeAsync(ctx, function, event); err != nil {
			s.closeJob(open)
			return outcome{}, &failure{"ConfigurationError", fmt.Sprintf("%s was not invoked: %s", function, err)}
		}
		select {
		case <-ctx.Done():
			s.closeJob(open)
			return outcome{}, ctx.Err()
		case <-s.config.Clock.After(answerLimit):
			s.closeJob(open)
			return outcome{}, &failure{"JobFailed", fmt.Sprintf("%s gave no answer for %s: see its log", function, answerLimit)}
		case answer := <-open.answer:
			switch {
			case answer.failure != nil:
				return outcome{}, &failure{string(answer.failure.Type), aws.ToString(answer.failure.Message)}
			case answer.token == "":
				return outcome{variables: answer.variables, summary: answer.summary}, nil
			}
			token = answer.token
		}
		select {
		case <-ctx.Done():
			return outcome{}, ctx.Err()
		case <-s.config.Clock.After(continueAfter):
		}
	}
}

// event is the JSON that CodePipeline gives to a function (user guide, "JSON event example").
func (i invokeAction) event(r *actionRun, job, token string) any {
	d := r.execution.declared
	located := func(all []artifact) []any {
		list := []any{}
		for _, a := range all {
			list = append(list, map[string]any{"name": a.name, "revision": nil, "location": map[string]any{"type": "S3",
				"s3Location": map[string]any{"bucketName": d.ArtifactStores[0].Location, "objectKey": objectKey(r.execution, a.name)}}})
		}
		return list
	}
	data := map[string]any{
		"actionConfiguration": map[string]any{"configuration": r.configuration},
		"inputArtifacts":      located(r.inputs),
		"outputArtifacts":     located(r.outputs),
		"artifactCredentials": map[string]any{"accessKeyId": uuid.NewString(), "secretAccessKey": uuid.NewString(), "sessionToken": uuid.NewString()},
	}
	if token != "" {
		data["continuationToken"] = token
	}
	return map[string]any{"CodePipeline.job": map[string]any{"id": job, "accountId": i.service.config.Account, "data": data}}
}

func objectKey(e *execution, artifact string) string {
	return e.declared.Name + "/" + artifact + "/" + e.id
}

// jobAnswer is one of a job's three possible ends.
type jobAnswer struct {
	failure   *types.FailureDetails
	token     string
	variables map[string]string
	summary   string
}
