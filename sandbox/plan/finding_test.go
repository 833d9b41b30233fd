package plan_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/plan"
)

// with copies inputs and changes some; nil removes.
func with(inputs map[string]any, changes map[string]any) map[string]any {
	changed := map[string]any{}
	maps.Copy(changed, inputs)
	maps.Copy(changed, changes)
	maps.DeleteFunc(changed, func(_ string, value any) bool { return value == nil })
	return changed
}

type object = map[string]any

// What follows keeps every rule; a test breaks one at a time.
var (
	goodRepo = declared{typ: repoType, name: "app", inputs: object{
		"imageTagMutability": "IMMUTABLE", "imageScanningConfiguration": object{"scanOnPush": true},
		"encryptionConfigurations": []any{object{"encryptionType": "KMS"}},
	}, options: []pulumi.ResourceOption{pulumi.Protect(true)}}
	goodLifecycle = declared{typ: lifecycleType, name: "app", inputs: object{"policy": "{}"}, from: map[string][2]string{"repository": {"app", "name"}}}
	goodBalancer  = declared{typ: balancerType, name: "front", inputs: object{"enableDeletionProtection": true, "securityGroups": []any{"sg-front"}}}
	goodListener  = declared{typ: listenerType, name: "https", inputs: object{
		"protocol": "HTTPS", "port": 443, "sslPolicy": "ELBSecurityPolicy-TLS13-1-2-2021-06",
		"defaultActions": []any{object{"type": "forward", "forward": object{"targetGroups": []any{}}}},
	}, options: []pulumi.ResourceOption{pulumi.IgnoreChanges([]string{"defaultActions"})}}
	goodService = declared{typ: serviceType, name: "app-blue", inputs: object{
		"desiredCount": 2, "networkConfiguration": object{"assignPublicIp": false, "securityGroups": []any{"sg-app"}},
	}, options: []pulumi.ResourceOption{pulumi.IgnoreChanges([]string{"desiredCount", "taskDefinition"})}}
	goodTarget = declared{typ: scalableType, name: "app-blue", inputs: object{"serviceNamespace": "ecs", "minCapacity": 1, "maxCapacity": 4},
		options: []pulumi.ResourceOption{pulumi.IgnoreChanges([]string{"minCapacity", "suspendedState"})}}
	goodLogs  = declared{typ: logsType, name: "app", inputs: object{"retentionInDays": 30, "kmsKeyId": "arn:key"}}
	goodKey   = declared{typ: keyType, name: "data", inputs: object{"enableKeyRotation": true}}
	goodBuild = declared{typ: buildType, name: "build", inputs: object{"encryptionKey": "arn:key", "environment": object{
		"privilegedMode": false, "environmentVariables": []any{object{"name": "REGION", "value": "eu-central-1"}}}}}
	goodFunction = declared{typ: functionType, name: "shift", inputs: object{"environment": object{"variables": object{"TOKEN_PARAMETER": "/shop/token"}}}}
	goodTask     = declared{typ: taskType, name: "app", inputs: object{"family": "app",
		"containerDefinitions": `[{"name":"app","readonlyRootFilesystem":true,"environment":[{"name":"COLOUR","value":"blue"}]}]`}}
	goodRole   = declared{typ: roleType, name: "app", inputs: object{"assumeRolePolicy": document(object{"Principal": object{"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"})}}
	goodPolicy = declared{typ: policyType, name: "read", inputs: object{"policy": document(object{"Action": "s3:GetObject", "Resource": "arn:aws:s3:::shop/*"})}}
	goodAttach = declared{typ: "aws:iam/rolePolicyAttachment:RolePolicyAttachment", name: "read", from: map[string][2]string{
		"role": {"app", "name"}, "policyArn": {"read", "arn"}}}
	goodBucket = declared{typ: bucketType, name: "artifacts"}
	goodBlock  = declared{typ: "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", name: "artifacts", inputs: object{
		"blockPublicAcls": true, "blockPublicPolicy": true, "ignorePublicAcls": true, "restrictPublicBuckets": true},
		from: map[string][2]string{"bucket": {"artifacts", "id"}}}
	goodExpiry = declared{typ: "aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2", name: "artifacts",
		from: map[string][2]string{"bucket": {"artifacts", "id"}}}
	goodCipher = declared{typ: "aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2", name: "artifacts",
		from: map[string][2]string{"bucket": {"artifacts", "id"}}}
)

func document(statement object) string {
	effect := object{"Effect": "Allow"}
	maps.Copy(effect, statement)
	return mustJSON(object{"Version": "2012-10-17", "Statement": []any{effect}})
}

func (d declared) but(changes object) declared {
	d.inputs = with(d.inputs, changes)
	return d
}

func (d declared) ignoring(fields ...string) declared {
	d.options = []pulumi.ResourceOption{pulumi.IgnoreChanges(fields)}
	return d
}

func TestEveryRuleFindsWhatBreaksItAndLeavesWhatKeepsIt(t *testing.T) {
	production := map[string]string{"shop:production": "true"}
	bucketKeeps := []declared{goodBucket, goodBlock, goodExpiry, goodCipher}
	for _, test := range []struct {
		rule   string
		breaks []declared
		keeps  []declared
		reason string
	}{
		{"deletion-protection", []declared{goodBalancer.but(object{"enableDeletionProtection": false})}, []declared{goodBalancer}, "enableDeletionProtection is off"},
		{"deletion-protection", []declared{goodRepo.ignoring(), goodLifecycle}, []declared{goodRepo, goodLifecycle}, "set protect"},
		{"exec-enabled", []declared{goodService.but(object{"enableExecuteCommand": true})}, []declared{goodService}, "a shell in production"},
		{"explicit-name", []declared{goodLogs.but(object{"name": "/shop/app"})}, []declared{goodLogs}, `name is set to "/shop/app"`},
		{"key-rotation", []declared{goodKey.but(object{"enableKeyRotation": nil})}, []declared{goodKey}, "turn it on"},
		{"missing-ignore", []declared{goodListener.ignoring("defaultActions[0].forward")}, []declared{goodListener}, "defaultActions belongs to shiftfn"},
		{"missing-ignore", []declared{{typ: ruleType, name: "preview", inputs: object{"actions": []any{object{"type": "forward", "forward": object{}}}}}},
			[]declared{{typ: ruleType, name: "preview", inputs: object{"actions": []any{object{"type": "redirect"}}}}}, "actions belongs to shiftfn"},
		{"missing-ignore", []declared{goodService.ignoring("desiredCount")}, []declared{goodService}, "taskDefinition belongs to the pipeline"},
		{"missing-ignore", []declared{goodTarget.ignoring("minCapacity")}, []declared{goodTarget}, "suspendedState belongs to shiftfn"},
		{"missing-retention", []declared{goodLogs.but(object{"retentionInDays": 0})}, []declared{goodLogs}, "logs are kept"},
		{"missing-retention", []declared{goodRepo}, []declared{goodRepo, goodLifecycle}, "images are kept"},
		{"missing-retention", []declared{goodBucket, goodBlock, goodCipher}, bucketKeeps, "objects are kept"},
		{"mutable-tags", []declared{goodRepo.but(object{"imageTagMutability": nil}), goodLifecycle}, []declared{goodRepo, goodLifecycle}, "not IMMUTABLE"},
		{"plain-http", []declared{goodListener.but(object{"protocol": "HTTP", "port": 80})},
			[]declared{goodListener.but(object{"protocol": "HTTP", "port": 80, "defaultActions": []any{object{"type": "redirect"}}})}, "port 80 speaks plain HTTP"},
		{"plain-secret", []declared{goodFunction.but(object{"environment": object{"variables": object{"API_TOKEN": "x"}}})}, []declared{goodFunction}, "API_TOKEN"},
		{"plain-secret", []declared{goodFunction.but(object{"environment": pulumi.ToSecret(object{"variables": object{"HOST": "x"}})})}, []declared{goodFunction}, "HOST"},
		{"plain-secret", []declared{goodBuild.but(object{"environment": object{"environmentVariables": []any{object{"name": "DB_PASSWORD", "value": "x"}}}})},
			[]declared{goodBuild.but(object{"environment": object{"environmentVariables": []any{object{"name": "DB_PASSWORD", "value": "/p", "type": "PARAMETER_STORE"}}}})}, "DB_PASSWORD"},
		{"plain-secret", []declared{goodTask.but(object{"containerDefinitions": `[{"name":"app","readonlyRootFilesystem":true,"environment":[{"name":"SECRET","value":"x"}]}]`})},
			[]declared{goodTask}, "SECRET"},
		{"privileged-build", []declared{goodBuild.but(object{"environment": object{"privilegedMode": true}})}, []declared{goodBuild}, "privilegedMode is on"},
		{"public-bucket", []declared{goodBucket, goodExpiry, goodCipher}, bucketKeeps, "no public access block"},
		{"public-bucket", []declared{goodBucket, goodBlock.but(object{"blockPublicPolicy": false}), goodExpiry, goodCipher}, bucketKeeps, "leaves blockPublicPolicy off"},
		{"public-ingress", []declared{{typ: groupType, name: "app", inputs: object{"ingress": []any{object{"fromPort": 22, "toPort": 22, "cidrBlocks": []any{"0.0.0.0/0"}}}}}},
			[]declared{{typ: groupType, name: "app", inputs: object{"ingress": []any{object{"fromPort": 22, "toPort": 22, "cidrBlocks": []any{"10.0.0.0/8"}}}}}}, "ports 22 to 22"},
		{"public-ingress", []declared{goodBalancer, {typ: "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", name: "in", inputs: object{"securityGroupId": "sg-app", "cidrIpv6": "::/0", "fromPort": 8080, "toPort": 8080}}},
			[]declared{goodBalancer, {typ: "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", name: "in", inputs: object{"securityGroupId": "sg-front", "cidrIpv6": "::/0", "fromPort": 443, "toPort": 443}}}, "ports 8080 to 8080"},
		{"public-ingress", []declared{{typ: "aws:ec2/securityGroupRule:SecurityGroupRule", name: "in", inputs: object{"type": "ingress", "securityGroupId": "sg-app", "cidrBlocks": []any{"0.0.0.0/0"}, "fromPort": 80, "toPort": 80}}},
			[]declared{{typ: "aws:ec2/securityGroupRule:SecurityGroupRule", name: "out", inputs: object{"type": "egress", "securityGroupId": "sg-app", "cidrBlocks": []any{"0.0.0.0/0"}, "fromPort": 0, "toPort": 0}}}, "ports 80 to 80"},
		{"public-ip", []declared{goodService.but(object{"networkConfiguration": object{"assignPublicIp": true}})}, []declared{goodService}, "private subnets"},
		{"sleeping-production", []declared{schedule("sleep", "cron(0 20 ? * * *)")}, []declared{schedule("wake", "cron(0 7 ? * MON-FRI *)")}, "cron(0 20 ? * * *) puts it to sleep"},
		{"unencrypted-store", []declared{goodLogs.but(object{"kmsKeyId": nil})}, []declared{goodLogs}, "kmsKeyId is not set"},
		{"unencrypted-store", []declared{goodBucket, goodBlock, goodExpiry}, bucketKeeps, "no server-side encryption"},
		{"unencrypted-store", []declared{{typ: paramType, name: "p", inputs: object{"type": "String", "value": pulumi.ToSecret("x")}}},
			[]declared{{typ: paramType, name: "p", inputs: object{"type": "SecureString", "value": pulumi.ToSecret("x")}}}, "make it a SecureString"},
		{"unscanned-image", []declared{goodRepo.but(object{"imageScanningConfiguration": nil}), goodLifecycle}, []declared{goodRepo, goodLifecycle}, "scanOnPush is off"},
		{"unused-policy", []declared{goodRole, goodPolicy}, []declared{goodRole, goodPolicy, goodAttach}, "no role has it"},
		{"weak-tls", []declared{goodListener.but(object{"sslPolicy": "ELBSecurityPolicy-2016-08"})}, []declared{goodListener}, "ELBSecurityPolicy-2016-08"},
		{"wildcard", []declared{inline(object{"Action": "s3:*", "Resource": "arn:aws:s3:::shop"})}, []declared{inline(object{"Action": []any{"ecs:Describe*"}, "Resource": "arn:aws:ecs:x"})}, "allows s3:*"},
		{"wildcard", []declared{inline(object{"Action": []any{"ecs:UpdateService", "ecs:RegisterTaskDefinition"}, "Resource": "*"})},
			[]declared{inline(object{"Action": []any{"ecs:RegisterTaskDefinition", "ecr:GetAuthorizationToken"}, "Resource": "*"})}, "allows ecs:UpdateService on *"},
		{"wildcard", []declared{inline(object{"NotAction": "iam:*", "Resource": "arn:x"})}, []declared{inline(object{"Action": "iam:PassRole", "Resource": "*", "Condition": object{}})}, "allows all but a few"},
		{"wildcard", []declared{inline(object{"Action": "iam:PassRole", "Resource": "arn:aws:iam::123456789012:role/*"})},
			[]declared{inline(object{"Sid": "BecauseRolesAreMadeLater", "Action": "iam:PassRole", "Resource": "*"})}, "on arn:aws:iam::123456789012:role/*"},
		{"wildcard", []declared{goodRole.but(object{"assumeRolePolicy": document(object{"Principal": "*", "Action": "sts:AssumeRole"})})}, []declared{goodRole}, "lets everyone in"},
		{"writable-root", []declared{goodTask.but(object{"containerDefinitions": `[{"name":"app"}]`})}, []declared{goodTask}, "container app: set readonlyRootFilesystem"},
	} {
		t.Run(test.rule+": "+test.reason, func(t *testing.T) {
			broken := planOf(t, production, test.breaks...)
			require.Equal(t, []string{test.rule}, rules(broken), "%+v", broken.Findings)
			assert.Contains(t, broken.Findings[0].Reason, test.reason)
			assert.False(t, broken.Findings[0].Accepted)
			assert.Empty(t, planOf(t, production, test.keeps...).Findings)
		})
	}
}

func inline(statement object) declared {
	return declared{typ: inlineType, name: "p", inputs: object{"role": "app", "policy": document(statement)}}
}

func TestEveryRuleIsTestedAndSorted(t *testing.T) {
	var names []string
	for _, r := range plan.Rules {
		names = append(names, r.Name)
		assert.NotEmpty(t, r.Unsafe)
	}
	assert.True(t, slices.IsSorted(names))
}

func TestTheProductionRulesAskTheConfigAndNotTheStacksName(t *testing.T) {
	public := goodService.but(object{"networkConfiguration": object{"assignPublicIp": true}})
	assert.Empty(t, planOf(t, nil, public).Findings)
	assert.Equal(t, []string{"public-ip"}, rules(planOf(t, map[string]string{"shop:production": "true"}, public)))
}

func TestConfigAcceptsAFindingWithAReason(t *testing.T) {
	accept := func(entries string) map[string]string { return map[string]string{"shop:accept": entries} }
	named := []declared{goodLogs.but(object{"name": "/shop/app"}), {typ: logsType, name: "other", inputs: with(goodLogs.inputs, object{"name": "/x"})}}

	p := planOf(t, accept(`[{"rule":"explicit-name","resource":"app","reason":"the agent looks for it"}]`), named...)
	require.Len(t, p.Findings, 2)
	assert.Equal(t, 1, p.Open())
	assert.Equal(t, "the agent looks for it", p.Findings[0].Because)
	assert.False(t, p.Findings[1].Accepted)

	for name, pattern := range map[string]string{"by a pattern of names": "*", "by URN": "*LogGroup::app", "all": ""} {
		t.Run(name, func(t *testing.T) {
			p := planOf(t, accept(`[{"rule":"explicit-name","resource":"`+pattern+`","reason":"known"}]`), named[0])
			require.Len(t, p.Findings, 1)
			assert.True(t, p.Findings[0].Accepted)
		})
	}
}

func TestAnAcceptanceThatAcceptsNothingIsAFindingItself(t *testing.T) {
	p := planOf(t, map[string]string{"shop:accept": `[{"rule":"weak-tls","resource":"https","reason":"old phones"}]`}, goodListener)
	require.Equal(t, []string{"unused-acceptance"}, rules(p))
	assert.Contains(t, p.Findings[0].Reason, "names weak-tls of https, which finds nothing")
}

func TestAWrongAcceptanceIsRefusedWithAllItsProblems(t *testing.T) {
	for text, wants := range map[string][]string{
		`[{"rule":"tls","reason":"x"},{"rule":"weak-tls"}]`: {`shop:accept[0].rule: no rule "tls": the rules are deletion-protection, `, "shop:accept[1].reason is missing: say why weak-tls is right here"},
		`[{"rule":"weak-tls","why":"x"}]`:                   {`unknown field "why"`, "a right value is [{rule: plain-http"},
		`[{"rule":"weak-tls","resource":"[","reason":"x"}]`: {`"[" is no pattern`},
		`"all"`: {"shop:accept", "a right value is"},
	} {
		_, err := plan.Of(graphOf(t, map[string]string{"shop:accept": text}, goodListener))
		for _, want := range wants {
			require.ErrorContains(t, err, want)
		}
	}
}
