package adapter

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	events "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"github.com/penguinshop/delivery/shiftfn/controller"
)

// Jobs answers the pipeline's jobs. It implements controller.Pipeline.
type Jobs struct{ CodePipeline CodePipeline }

var _ controller.Pipeline = Jobs{}

// Continue keeps the job in progress and asks to be invoked again with the token.
func (j Jobs) Continue(ctx context.Context, job, token, summary string) error {
	_, err := j.CodePipeline.PutJobSuccessResult(ctx, &codepipeline.PutJobSuccessResultInput{
		JobId: aws.String(job), ContinuationToken: aws.String(token), ExecutionDetails: details(summary),
	})
	return gone(err)
}

// Succeed ends the job well. Output variables go only with an answer that has no token.
func (j Jobs) Succeed(ctx context.Context, job, summary string, outputs map[string]string) error {
	_, err := j.CodePipeline.PutJobSuccessResult(ctx, &codepipeline.PutJobSuccessResultInput{
		JobId: aws.String(job), OutputVariables: outputs, ExecutionDetails: details(summary),
	})
	return gone(err)
}

// Fail ends the job and its action.
func (j Jobs) Fail(ctx context.Context, job, message string) error {
	_, err := j.CodePipeline.PutJobFailureResult(ctx, &codepipeline.PutJobFailureResultInput{
		JobId: aws.String(job), FailureDetails: &types.FailureDetails{Type: types.FailureTypeJobFailed, Message: aws.String(message)},
	})
	return gone(err)
}

// details carries a summary of at most 2,048 characters.
func details(summary string) *types.ExecutionDetails {
	if runes := []rune(summary); len(runes) > 2048 {
		summary = string(runes[:2047]) + "…"
	}
	return &types.ExecutionDetails{Summary: aws.String(summary)}
}

// gone recognises the errors that say that nobody waits for the answer.
func gone(err error) error {
	if is(err, &types.InvalidJobStateException{}) || is(err, &types.JobNotFoundException{}) {
		return fmt.Errorf("%w: %w", controller.ErrJobGone, err)
	}
	return err
}

// Source is what the function's events on EventBridge say they come from.
const Source = "penguinshop.shiftfn"

// Herald publishes events on the account's default bus. It implements controller.Herald.
type Herald struct{ EventBridge EventBridge }

var _ controller.Herald = Herald{}

// Publish sends one event.
func (h Herald) Publish(ctx context.Context, e controller.Event) error {
	detail, err := json.Marshal(e)
	if err != nil {
		return err
	}
	out, err := h.EventBridge.PutEvents(ctx, &eventbridge.PutEventsInput{Entries: []events.PutEventsRequestEntry{{
		Source: aws.String(Source), DetailType: aws.String(string(e.Kind)), Detail: aws.String(string(detail)),
	}}})
	if err == nil && out.FailedEntryCount > 0 && len(out.Entries) > 0 {
		err = fmt.Errorf("%s: %s", aws.ToString(out.Entries[0].ErrorCode), aws.ToString(out.Entries[0].ErrorMessage))
	}
	return err
}
