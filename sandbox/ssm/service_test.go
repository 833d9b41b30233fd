package ssm_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/smithy-go"
	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/graph"
	local "github.com/penguinshop/delivery/sandbox/ssm"
)

func started() *local.Service {
	return local.New(local.Options{Region: "eu-central-1", Account: "123456789012", Clock: clockwork.NewFakeClock()})
}

func put(t *testing.T, s *local.Service, name, value string, kind types.ParameterType) {
	t.Helper()
	_, err := s.PutParameter(t.Context(), &ssm.PutParameterInput{Name: &name, Value: &value, Type: kind, Overwrite: new(true)})
	require.NoError(t, err)
}

func read(t *testing.T, s *local.Service, name string, decrypt bool) string {
	t.Helper()
	out, err := s.GetParameter(t.Context(), &ssm.GetParameterInput{Name: &name, WithDecryption: &decrypt})
	require.NoError(t, err)
	return *out.Parameter.Value
}

func TestASecureStringIsReadInClearOnlyWithDecryption(t *testing.T) {
	s := started()
	put(t, s, "/dev/preview", "s3cret", types.ParameterTypeSecureString)
	assert.Equal(t, "s3cret", read(t, s, "/dev/preview", true))
	assert.NotContains(t, read(t, s, "/dev/preview", false), "s3cret")
	put(t, s, "/dev/plain", "open", types.ParameterTypeString)
	assert.Equal(t, "open", read(t, s, "/dev/plain", false))
}

func TestAParameterIsFoundByNameByARNAndByVersion(t *testing.T) {
	s := started()
	put(t, s, "/dev/preview", "one", types.ParameterTypeString)
	put(t, s, "/dev/preview", "two", types.ParameterTypeString)
	put(t, s, "flat", "three", types.ParameterTypeString)
	assert.Equal(t, "two", read(t, s, "/dev/preview", false))
	assert.Equal(t, "two", read(t, s, "arn:aws:ssm:eu-central-1:123456789012:parameter/dev/preview", false))
	assert.Equal(t, "three", read(t, s, "arn:aws:ssm:eu-central-1:123456789012:parameter/flat", false))
	assert.Equal(t, "one", read(t, s, "/dev/preview:1", false))
	for _, name := range []string{"dev/preview", "/flat", "none", ""} {
		_, err := s.GetParameter(t.Context(), &ssm.GetParameterInput{Name: &name})
		assert.ErrorAs(t, err, new(*types.ParameterNotFound), name)
	}
	_, err := s.GetParameter(t.Context(), &ssm.GetParameterInput{Name: new("flat:2")})
	assert.ErrorAs(t, err, new(*types.ParameterVersionNotFound))
}

func TestMissingParametersAreListedBesideThoseFound(t *testing.T) {
	s := started()
	put(t, s, "here", "x", types.ParameterTypeString)
	out, err := s.GetParameters(t.Context(), &ssm.GetParametersInput{Names: []string{"here", "gone"}})
	require.NoError(t, err)
	assert.Len(t, out.Parameters, 1)
	assert.Equal(t, []string{"gone"}, out.InvalidParameters)
}

func TestPutRefusesWhatAWSRefuses(t *testing.T) {
	s := started()
	put(t, s, "there", "x", types.ParameterTypeString)
	cases := map[string]struct {
		in   ssm.PutParameterInput
		code string
	}{
		"a name that is taken":           {ssm.PutParameterInput{Name: new("there"), Value: new("y"), Type: "String"}, "ParameterAlreadyExists"},
		"a name of other characters":     {ssm.PutParameterInput{Name: new("a b"), Value: new("y"), Type: "String"}, "ValidationException"},
		"levels without a leading slash": {ssm.PutParameterInput{Name: new("a/b"), Value: new("y"), Type: "String"}, "ValidationException"},
		"a reserved name":                {ssm.PutParameterInput{Name: new("/aws/x"), Value: new("y"), Type: "String"}, "ValidationException"},
		"too many levels":                {ssm.PutParameterInput{Name: new(strings.Repeat("/a", 16)), Value: new("y"), Type: "String"}, "HierarchyLevelLimitExceededException"},
		"no type":                        {ssm.PutParameterInput{Name: new("a"), Value: new("y")}, "ValidationException"},
		"an unknown type":                {ssm.PutParameterInput{Name: new("a"), Value: new("y"), Type: "Blob"}, "UnsupportedParameterType"},
		"an empty value":                 {ssm.PutParameterInput{Name: new("a"), Value: new(""), Type: "String"}, "ValidationException"},
		"a value over the tier's bound":  {ssm.PutParameterInput{Name: new("a"), Value: new(strings.Repeat("x", 4097)), Type: "String", Tier: "Standard"}, "ValidationException"},
		"a value that breaks its pattern": {
			ssm.PutParameterInput{Name: new("a"), Value: new("1,b"), Type: "StringList", AllowedPattern: new(`\d`)}, "ParameterPatternMismatchException"},
		"what is not imitated": {ssm.PutParameterInput{Name: new("a"), Value: new("y"), Type: "String", Policies: new("[]")}, "ValidationException"},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := s.PutParameter(t.Context(), &test.in)
			var api smithy.APIError
			require.ErrorAs(t, err, &api)
			assert.Equal(t, test.code, api.ErrorCode())
		})
	}
}

func TestAHundredVersionsAreKept(t *testing.T) {
	s := started()
	for i := range 105 {
		put(t, s, "a", fmt.Sprint(i+1), types.ParameterTypeString)
	}
	assert.Equal(t, "105", read(t, s, "a", false))
	assert.Equal(t, "6", read(t, s, "a:6", false))
	_, err := s.GetParameter(t.Context(), &ssm.GetParameterInput{Name: new("a:5")})
	assert.ErrorAs(t, err, new(*types.ParameterVersionNotFound))
}

func TestADeclaredParameterGetsANewVersionOnlyWhenItsValueChanges(t *testing.T) {
	s := started()
	provider := s.Providers()["aws:ssm/parameter:Parameter"]
	declare := func(value, owner string) graph.Resource {
		inputs := map[string]any{"name": "/dev/preview", "type": "SecureString", "value": value, "tags": map[string]any{"owner": owner}}
		return graph.Resource{URN: "urn:pulumi:dev::penguinshop::aws:ssm/parameter:Parameter::preview", Type: "aws:ssm/parameter:Parameter", Inputs: inputs, Outputs: inputs}
	}
	version := func() int64 {
		out, err := s.GetParameter(t.Context(), &ssm.GetParameterInput{Name: new("/dev/preview")})
		require.NoError(t, err)
		return out.Parameter.Version
	}
	require.NoError(t, provider.Create(t.Context(), declare("a", "x")))
	require.NoError(t, provider.Update(t.Context(), declare("a", "x"), declare("a", "y")))
	assert.Equal(t, int64(1), version())
	require.NoError(t, provider.Update(t.Context(), declare("a", "y"), declare("b", "y")))
	assert.Equal(t, int64(2), version())
	assert.Equal(t, "b", read(t, s, "/dev/preview", true))
	require.NoError(t, provider.Delete(t.Context(), declare("b", "y")))
	assert.ErrorAs(t, provider.Delete(t.Context(), declare("b", "y")), new(*types.ParameterNotFound))
}
