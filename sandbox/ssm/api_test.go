package ssm_test

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/tests/moto"
)

// api is what the SDK's client and the sandbox's service both do.
type api interface {
	PutParameter(context.Context, *ssm.PutParameterInput, ...func(*ssm.Options)) (*ssm.PutParameterOutput, error)
	GetParameter(context.Context, *ssm.GetParameterInput, ...func(*ssm.Options)) (*ssm.GetParameterOutput, error)
	GetParameters(context.Context, *ssm.GetParametersInput, ...func(*ssm.Options)) (*ssm.GetParametersOutput, error)
	DeleteParameter(context.Context, *ssm.DeleteParameterInput, ...func(*ssm.Options)) (*ssm.DeleteParameterOutput, error)
}

// TestTheAPIDoesAsMotoDoes holds the sandbox and moto to the same expectations.
func TestTheAPIDoesAsMotoDoes(t *testing.T) {
	t.Run("sandbox", func(t *testing.T) { parametersLive(t, started()) })
	t.Run("moto", func(t *testing.T) { parametersLive(t, ssm.NewFromConfig(moto.Config(t))) })
}

func parametersLive(t *testing.T, a api) {
	ctx, name := t.Context(), "/dev/preview"
	put := func(value string, overwrite bool) (int64, error) {
		out, err := a.PutParameter(ctx, &ssm.PutParameterInput{Name: &name, Value: &value, Type: types.ParameterTypeSecureString, Overwrite: &overwrite})
		if err != nil {
			return 0, err
		}
		return out.Version, nil
	}
	version, err := put("one", false)
	require.NoError(t, err)
	assert.Equal(t, int64(1), version)
	_, err = put("two", false)
	assert.ErrorAs(t, err, new(*types.ParameterAlreadyExists))
	version, err = put("two", true)
	require.NoError(t, err)
	assert.Equal(t, int64(2), version)

	clear, err := a.GetParameter(ctx, &ssm.GetParameterInput{Name: &name, WithDecryption: new(true)})
	require.NoError(t, err)
	assert.Equal(t, "two", *clear.Parameter.Value)
	assert.Equal(t, "arn:aws:ssm:eu-central-1:123456789012:parameter/dev/preview", *clear.Parameter.ARN)
	assert.Equal(t, types.ParameterTypeSecureString, clear.Parameter.Type)
	hidden, err := a.GetParameter(ctx, &ssm.GetParameterInput{Name: &name})
	require.NoError(t, err)
	assert.NotEqual(t, "two", *hidden.Parameter.Value)
	first, err := a.GetParameter(ctx, &ssm.GetParameterInput{Name: new(name + ":1"), WithDecryption: new(true)})
	require.NoError(t, err)
	assert.Equal(t, "one", *first.Parameter.Value)
	byARN, err := a.GetParameter(ctx, &ssm.GetParameterInput{Name: clear.Parameter.ARN, WithDecryption: new(true)})
	require.NoError(t, err)
	assert.Equal(t, "two", *byARN.Parameter.Value)

	several, err := a.GetParameters(ctx, &ssm.GetParametersInput{Names: []string{name, "/none"}, WithDecryption: new(true)})
	require.NoError(t, err)
	require.Len(t, several.Parameters, 1)
	assert.Equal(t, []string{"/none"}, several.InvalidParameters)

	_, err = a.DeleteParameter(ctx, &ssm.DeleteParameterInput{Name: &name})
	require.NoError(t, err)
	_, err = a.GetParameter(ctx, &ssm.GetParameterInput{Name: &name})
	assert.ErrorAs(t, err, new(*types.ParameterNotFound))
	_, err = a.DeleteParameter(ctx, &ssm.DeleteParameterInput{Name: &name})
	assert.ErrorAs(t, err, new(*types.ParameterNotFound))
}
