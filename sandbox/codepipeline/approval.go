package codepipeline

import (
	"context"
	"fmt"
	"os/user"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	"github.com/google/uuid"

	"github.com/penguinshop/delivery/sandbox/sns"
)

// approval is one question to a person, open until it is answered or its action ends.
type approval struct {
	record   *record
	answer   chan types.ApprovalResult
	answered bool
}

// approvalAction waits for a person.
type approvalAction struct{ service *Service }

func (approvalAction) check(a action) []string {
	return append(counts{}.check(a), keys(a, nil, "CustomData", "ExternalEntityLink", "NotificationArn")...)
}

func (m approvalAction) run(ctx context.Context, r *actionRun) (outcome, error) {
	s := m.service
	token := uuid.NewString()
	asked := &approval{record: r.record, answer: make(chan types.ApprovalResult, 1)}
	s.mu.Lock()
	r.token = token
	s.approvals[token] = asked
	s.tellAction(r.record, "approval", "waits for an approval", map[string]any{
		"customData": r.configuration["CustomData"], "url": r.configuration["ExternalEntityLink"]})
	s.mu.Unlock()
	if topic := r.configuration["NotificationArn"]; topic != "" && s.config.Topics != nil {
		if err := s.config.Topics.Publish(topic, sns.Message{Subject: "APPROVAL NEEDED: " + r.execution.declared.Name, Text: r.configuration["CustomData"]}); err != nil {
			return outcome{}, &failure{"ConfigurationError", "telling " + topic + ": " + err.Error()}
		}
	}
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		asked.answered = true
	}()
	select {
	case <-ctx.Done():
		return outcome{}, ctx.Err()
	case result := <-asked.answer:
		if result.Status == types.ApprovalStatusRejected {
			return outcome{}, &failure{"Rejected", fmt.Sprintf("rejected: %s", aws.ToString(result.Summary))}
		}
		return outcome{summary: aws.ToString(result.Summary)}, nil
	}
}

// PutApprovalResult answers the approval that waits with the token; the token is in GetPipelineState, and an answer to an
// earlier question is refused by it.
func (s *Service) PutApprovalResult(_ context.Context, in *codepipeline.PutApprovalResultInput, _ ...func(*codepipeline.Options)) (*codepipeline.PutApprovalResultOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.find(in.PipelineName)
	if err != nil {
		return nil, err
	}
	i, ok := p.declared.stage(aws.ToString(in.StageName))
	if !ok {
		return nil, &types.StageNotFoundException{Message: aws.String("there is no stage " + aws.ToString(in.StageName))}
	}
	if !hasAction(p.declared.Stages[i], aws.ToString(in.ActionName)) {
		return nil, &types.ActionNotFoundException{Message: aws.String("there is no action " + aws.ToString(in.ActionName))}
	}
	if in.Result == nil || in.Result.Summary == nil || (in.Result.Status != types.ApprovalStatusApproved && in.Result.Status != types.ApprovalStatusRejected) {
		return nil, &types.ValidationException{Message: aws.String("result wants a status, Approved or Rejected, and a summary")}
	}
	asked := s.approvals[aws.ToString(in.Token)]
	if asked == nil || asked.record.execution.pipeline != p || asked.record.stage != *in.StageName || asked.record.action.Name != *in.ActionName {
		return nil, &types.InvalidApprovalTokenException{Message: aws.String("the token is not that of this approval")}
	}
	if asked.answered {
		return nil, &types.ApprovalAlreadyCompletedException{Message: aws.String("this approval has been answered")}
	}
	asked.answered = true
	asked.record.answeredBy = s.person()
	asked.answer <- *in.Result
	return &codepipeline.PutApprovalResultOutput{ApprovedAt: aws.Time(s.config.Clock.Now())}, nil
}

// person is the principal that stands for whoever uses this machine.
func (s *Service) person() string {
	name := "person"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	return fmt.Sprintf("arn:aws:iam::%s:user/%s", s.config.Account, name)
}

func hasAction(st stage, name string) bool {
	for _, a := range st.Actions {
		if a.Name == name {
			return true
		}
	}
	return false
}
