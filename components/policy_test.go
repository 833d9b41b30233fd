package components

import (
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// resolved runs a policy through a program and returns its JSON.
func resolved(t *testing.T, p Policy) (string, error) {
	t.Helper()
	var text string
	err := pulumi.RunErr(func(ctx *pulumi.Context) error {
		document, err := p.Document()
		if err != nil {
			return err
		}
		ctx.Export("document", document.ApplyT(func(d string) string {
			text = d
			return d
		}))
		return nil
	}, pulumi.WithMocks("shop", "test", &registrations{}))
	return text, err
}

func TestAPolicyRendersInTheOrderOfItsStatements(t *testing.T) {
	text, err := resolved(t, Policy{
		{Actions: []string{"ssm:GetParameter"}, Resources: []pulumi.StringInput{pulumi.String("arn:aws:ssm:x:1:parameter/a")}},
		{
			Actions: []string{"iam:PassRole"}, Resources: []pulumi.StringInput{pulumi.String("arn:aws:iam::1:role/b")},
			Conditions: []Condition{Equals("iam:PassedToService", pulumi.String("ecs.amazonaws.com"), pulumi.String("ecs-tasks.amazonaws.com"))},
		},
		{Services: []string{"lambda.amazonaws.com"}, Actions: []string{"sts:AssumeRole"}},
	})
	require.NoError(t, err)
	assert.JSONEq(t, `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":["ssm:GetParameter"],"Resource":["arn:aws:ssm:x:1:parameter/a"]},
		{"Effect":"Allow","Action":["iam:PassRole"],"Resource":["arn:aws:iam::1:role/b"],
		 "Condition":{"StringEquals":{"iam:PassedToService":["ecs.amazonaws.com","ecs-tasks.amazonaws.com"]}}},
		{"Effect":"Allow","Principal":{"Service":["lambda.amazonaws.com"]},"Action":["sts:AssumeRole"]}]}`, text)
}

func TestAReasonBecomesTheStatementsSid(t *testing.T) {
	text, err := resolved(t, Policy{{
		Actions: []string{"ecr:GetAuthorizationToken"}, Resources: []pulumi.StringInput{pulumi.String("*")},
		Reason: "a registry-token is for all (30) repositories",
	}})
	require.NoError(t, err)
	assert.Contains(t, text, `"Sid":"BecauseARegistryTokenIsForAll30Repositories"`)
}

func TestAWildcardWithoutAReasonIsRefusedBeforeAnythingIsDeclared(t *testing.T) {
	for name, p := range map[string]Policy{
		"in a resource": {{Actions: []string{"s3:GetObject"}, Resources: []pulumi.StringInput{pulumi.String("arn:aws:s3:::b/*")}}},
		"in an action":  {{Actions: []string{"s3:*"}, Resources: []pulumi.StringInput{pulumi.String("arn:aws:s3:::b")}}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := p.Document()
			require.ErrorContains(t, err, "is a wildcard without a reason")
		})
	}
}

func TestAWildcardThatTurnsUpInAnOutputIsRefusedToo(t *testing.T) {
	_, err := resolved(t, Policy{{
		Actions: []string{"s3:GetObject"}, Resources: []pulumi.StringInput{pulumi.Sprintf("arn:aws:s3:::%s", "b/*")},
	}})
	require.ErrorContains(t, err, "s3:GetObject on arn:aws:s3:::b/* is a wildcard without a reason")
}

func TestAllProblemsOfAPolicyAreToldAtOnce(t *testing.T) {
	_, err := Policy{{}, {Everybody: true, Actions: []string{"s3:*"}}}.Document()
	require.ErrorContains(t, err, "statement 1 has no action")
	require.ErrorContains(t, err, "statement 2 would allow everybody")
	require.ErrorContains(t, err, "action s3:* is a wildcard")
}

func TestADenialNeedsNoReason(t *testing.T) {
	_, err := Policy{{Deny: true, Everybody: true, Actions: []string{"s3:*"}, Resources: []pulumi.StringInput{pulumi.String("*")}}}.Document()
	assert.NoError(t, err)
}

func TestArnsOfRelatedResourcesKeepPartitionRegionAndAccount(t *testing.T) {
	cluster := pulumi.String("arn:aws-cn:ecs:cn-north-1:123456789012:cluster/shop")
	for want, got := range map[string]pulumi.StringOutput{
		"arn:aws-cn:ecs:cn-north-1:123456789012:service/shop/blue":           serviceArn(cluster, pulumi.String("blue")),
		"arn:aws-cn:ecs:cn-north-1:123456789012:task/shop/*":                 tasksArn(cluster),
		"arn:aws-cn:lambda:cn-north-1:123456789012:function:shift":           sibling(cluster, "lambda", "function:shift"),
		"arn:aws-cn:ecs:cn-north-1:123456789012:task-definition/shop-blue:*": revisionsArn(pulumi.String("arn:aws-cn:ecs:cn-north-1:123456789012:task-definition/shop-blue:7")),
		"arn:aws-cn:scheduler:cn-north-1:1:schedule/g/s":                     scheduleArn(pulumi.String("arn:aws-cn:scheduler:cn-north-1:1:schedule-group/g"), "s"),
	} {
		values := make(chan string, 1)
		got.ApplyT(func(v string) string { values <- v; return v })
		assert.Equal(t, want, <-values)
	}
}
