package lambda

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/penguinshop/delivery/sandbox/fidelity"
)

// Invoke hands a function an event and does not wait for it: of the invocation types, Event alone is imitated.
func (s *Service) Invoke(ctx context.Context, in *lambda.InvokeInput, _ ...func(*lambda.Options)) (*lambda.InvokeOutput, error) {
	refusal := fidelity.Refusal(in, "FunctionName", "InvocationType", "Payload")
	switch {
	case refusal != "":
	case in.InvocationType != types.InvocationTypeEvent:
		refusal = fmt.Sprintf("InvocationType %q: the sandbox imitates Event alone", in.InvocationType)
	case len(in.Payload) > 0 && !json.Valid(in.Payload):
		return nil, &types.InvalidRequestContentException{Message: aws.String("Could not parse request body into json")}
	}
	if refusal != "" {
		return nil, &types.InvalidParameterValueException{Message: &refusal}
	}
	s.mu.Lock()
	_, err := s.find(aws.ToString(in.FunctionName))
	s.mu.Unlock()
	if err != nil {
		return nil, notFound(in.FunctionName)
	}
	if err := s.InvokeAsync(ctx, *in.FunctionName, in.Payload); err != nil {
		return nil, err
	}
	return &lambda.InvokeOutput{StatusCode: http.StatusAccepted}, nil
}

func notFound(function *string) error {
	return &types.ResourceNotFoundException{Message: aws.String(fmt.Sprintf("Function not found: %s", aws.ToString(function)))}
}
