package lambda

import (
	"context"
	"maps"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/penguinshop/delivery/sandbox/fidelity"
)

// GetFunctionConfiguration tells what a function, named by its name or its ARN, was declared with; its environment variables
// are in it, as in AWS. There are no versions here: a qualifier is refused.
func (s *Service) GetFunctionConfiguration(_ context.Context, in *lambda.GetFunctionConfigurationInput, _ ...func(*lambda.Options)) (*lambda.GetFunctionConfigurationOutput, error) {
	if refusal := fidelity.Refusal(in, "FunctionName"); refusal != "" {
		return nil, &types.InvalidParameterValueException{Message: &refusal}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.find(aws.ToString(in.FunctionName))
	if err != nil {
		return nil, notFound(in.FunctionName)
	}
	f := e.function
	out := &lambda.GetFunctionConfigurationOutput{
		FunctionName: aws.String(f.Name), FunctionArn: aws.String(f.ARN), Role: aws.String(f.Role), Handler: aws.String(f.Handler),
		Description: aws.String(f.Description), Runtime: types.Runtime(f.Runtime), Timeout: aws.Int32(int32(f.timeout().Seconds())),
		MemorySize: aws.Int32(int32(f.MemorySize)), State: types.StateActive, LastUpdateStatus: types.LastUpdateStatusSuccessful,
		Environment:   &types.EnvironmentResponse{Variables: maps.Clone(f.Environment.Variables)},
		LoggingConfig: &types.LoggingConfig{LogFormat: types.LogFormat(f.Logging.Format), LogGroup: aws.String(f.logGroup())},
	}
	for _, a := range f.Architectures {
		out.Architectures = append(out.Architectures, types.Architecture(a))
	}
	return out, nil
}
