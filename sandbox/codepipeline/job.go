package codepipeline

import (
	"context"
	"fmt"
	"regexp"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	"github.com/google/uuid"
)

// Limits of a job's answer (API reference, PutJobSuccessResult and FailureDetails).
const (
	maxContinuationToken = 2_048
	maxFailureMessage    = 5_000
	maxOutputVariables   = 122_880 // bytes, keys and values together
)

var variableNames = regexp.MustCompile(`^[A-Za-z0-9@_-]+$`)

// job is one invocation that must be answered once.
type job struct {
	id     string
	record *record
	answer chan jobAnswer
	closed bool // answered, or nobody waits any more
}

func (s *Service) openJob(r *record) *job {
	s.mu.Lock()
	defer s.mu.Unlock()
	open := &job{id: uuid.NewString(), record: r, answer: make(chan jobAnswer, 1)}
	s.jobs[open.id] = open
	return open
}

func (s *Service) closeJob(j *job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	j.closed = true
}

// take returns the open job with the identifier and closes it; the caller holds the mutex.
func (s *Service) take(id *string) (*job, error) {
	j := s.jobs[aws.ToString(id)]
	if j == nil {
		return nil, &types.JobNotFoundException{Message: aws.String(fmt.Sprintf("there is no job %q", aws.ToString(id)))}
	}
	if j.closed {
		return nil, &types.InvalidJobStateException{Message: aws.String(fmt.Sprintf("job %s is not in progress any more", j.id))}
	}
	j.closed = true
	return j, nil
}

// PutJobSuccessResult ends a job, or, with a continuation token, asks for another invocation.
func (s *Service) PutJobSuccessResult(_ context.Context, in *codepipeline.PutJobSuccessResultInput, _ ...func(*codepipeline.Options)) (*codepipeline.PutJobSuccessResultOutput, error) {
	token := aws.ToString(in.ContinuationToken)
	if in.ContinuationToken != nil && (token == "" || len(token) > maxContinuationToken) {
		return nil, &types.ValidationException{Message: aws.String(fmt.Sprintf("continuationToken must have 1 to %d characters, and has %d", maxContinuationToken, len(token)))}
	}
	if token != "" && len(in.OutputVariables) > 0 {
		return nil, &types.ValidationException{Message: aws.String("outputVariables cannot come with a continuationToken")}
	}
	size := 0
	for name, value := range in.OutputVariables {
		if !variableNames.MatchString(name) {
			return nil, &types.ValidationException{Message: aws.String(fmt.Sprintf("%q is not the name of an output variable", name))}
		}
		size += len(name) + len(value)
	}
	if size > maxOutputVariables {
		return nil, &types.OutputVariablesSizeExceededException{Message: aws.String(fmt.Sprintf("the output variables have %d bytes, and at most %d are taken", size, maxOutputVariables))}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	j, err := s.take(in.JobId)
	if err != nil {
		return nil, err
	}
	answer := jobAnswer{token: token, variables: in.OutputVariables}
	if d := in.ExecutionDetails; d != nil {
		answer.summary = aws.ToString(d.Summary)
		j.record.summary, j.record.external, j.record.updated = answer.summary, aws.ToString(d.ExternalExecutionId), s.config.Clock.Now()
		if token != "" && answer.summary != "" {
			s.tellAction(j.record, "progress", answer.summary, map[string]any{"summary": answer.summary})
		}
	}
	j.answer <- answer
	return &codepipeline.PutJobSuccessResultOutput{}, nil
}

// PutJobFailureResult ends a job, and its action, as failed.
func (s *Service) PutJobFailureResult(_ context.Context, in *codepipeline.PutJobFailureResultInput, _ ...func(*codepipeline.Options)) (*codepipeline.PutJobFailureResultOutput, error) {
	d := in.FailureDetails
	if d == nil || d.Type == "" || aws.ToString(d.Message) == "" || len(*d.Message) > maxFailureMessage {
		return nil, &types.ValidationException{Message: aws.String(fmt.Sprintf("failureDetails wants a type and a message of 1 to %d characters", maxFailureMessage))}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	j, err := s.take(in.JobId)
	if err != nil {
		return nil, err
	}
	j.answer <- jobAnswer{failure: d}
	return &codepipeline.PutJobFailureResultOutput{}, nil
}
