package tests

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/contract"
	"github.com/penguinshop/delivery/sandbox/graph"
	"github.com/penguinshop/delivery/stacks"
)

// problemsOf are what the program says about a config; it must have declared nothing.
func problemsOf(t *testing.T, config map[string]string) []stacks.Problem {
	t.Helper()
	_, err := run(t, config)
	var wrong *stacks.ConfigError
	require.ErrorAs(t, err, &wrong, "%v", err)
	assert.Equal(t, "test", wrong.Stack)
	return wrong.Problems
}

func TestEachWrongValueOfAnEnvironmentIsNamedWithARightOne(t *testing.T) {
	for _, c := range []struct{ key, value, path, what string }{
		{"role", "staging", "role", `"staging", which is not one of env, shared`},
		{"strategy", "canary", "strategy", `"canary", which is not one of blueGreen, rolling`},
		{"logRetentionDays", "31", "logRetentionDays", "31, which is not a period that CloudWatch knows"},
		{"logRetentionDays", "a month", "logRetentionDays", `which is not a whole number`},
		{"ecrRepository", "Penguin Shop", "ecrRepository", "not a name that ECR allows"},
		{"production", "perhaps", "production", `"perhaps", which is not true or false`},
		{"customerKey", "1.5", "customerKey", "which is not true or false"},
		{"accept", `[{"rule":"plain-http"}]`, "accept[0].reason", "is missing"},
		{"accept", `[{"rule":"plain-http","reason":"ok"}]`, "accept[0].reason", "not a reason that a person could judge"},
		{"unprotected", "yes", "unprotected", "not a reason that a person could judge"},
		{"accept", `[]`, "https", "plain HTTP is refused unless"},
		{"accept", `{}`, "accept", "which is not a list"},
		{"network", `"10.0.0.0/16"`, "network", "which is not an object"},
		{"network", `{"cidr":"10.0.0.0/8"}`, "network.cidr", "not an IPv4 network of /16 to /24"},
		{"network", `{"cidr":"10.0.0.1/16"}`, "network.cidr", "not an IPv4 network of /16 to /24"},
		{"network", `{"zones":1}`, "network.zones", "1, which is not within 2 to 6"},
		{"network", `{"nat":"two"}`, "network.nat", `"two", which is not one of none, single, perZone`},
		{"network", `{"zone":3}`, "network.zone", "is not a key of network"},
		{"https", `{"domain":"shop.example.com"}`, "https.hostedZoneId", "and so is certificateArn"},
		{"https", `{"domain":"shop.example.com","hostedZoneId":"example.com"}`, "https.hostedZoneId", "not a hosted zone's identifier"},
		{"network", `{"nat":"endpoints"}`, "service.placeholderImage", "must lie in this account's ECR"},
		{"network", `{"existing":{"publicSubnetIds":["subnet-0123456789abcdef0","subnet-0123456789abcdef1"]}}`, "network.existing.vpcId", "is missing"},
		{"network", `{"existing":{"vpcId":"main","publicSubnetIds":["subnet-0123456789abcdef0","subnet-0123456789abcdef1"]}}`,
			"network.existing.vpcId", "not a VPC's identifier"},
		{"network", `{"existing":{"vpcId":"vpc-0123456789abcdef0","publicSubnetIds":["subnet-0123456789abcdef0"]}}`,
			"network.existing.publicSubnetIds", "needs two in different zones"},
		{"network", `{"existing":{"vpcId":"vpc-0123456789abcdef0","publicSubnetIds":["subnet-0123456789abcdef0","10.0.0.0/24"]}}`,
			"network.existing.publicSubnetIds[1]", "not a subnet's identifier"},
		{"notifications", `{"emails":["nobody"]}`, "notifications.emails[0]", "not an e-mail address"},
		{"loadBalancer", `{"accessLogDays":-1}`, "loadBalancer.accessLogDays", "not within 0 to 3650"},
		{"service", `{"secrets":{"DATABASE_URL":"postgres://shop"}}`, "service.secrets.DATABASE_URL", "not the ARN of a secret"},
		{"service", `{"environment":{"A":"1"},"secrets":{"A":"arn:aws:ssm:eu-central-1:123456789012:parameter/a"}}`, "service.secrets.A",
			"stands in environment as well"},
		{"dashboard", "please", "dashboard", "not true or false"},
		{"https", `{"domain":"shop","certificateArn":"` + certificate + `"}`, "https.domain", "not a domain name"},
		{"https", `{"domain":"shop.example.com","certificateArn":"arn:aws:iam::1:server-certificate/x"}`, "https.certificateArn", "not the ARN of a certificate in ACM"},
		{"loadBalancer", `{"ingressCidrs":[]}`, "loadBalancer.ingressCidrs", "nobody could come in"},
		{"loadBalancer", `{"ingressCidrs":["everybody"]}`, "loadBalancer.ingressCidrs[0]", "not an IPv4 network"},
		{"loadBalancer", `{"ingressCidrs":[null]}`, "loadBalancer.ingressCidrs[0]", "is empty"},
		{"loadBalancer", `{"deletionProtection":"yes"}`, "loadBalancer.deletionProtection", `"yes", which is not true or false`},
		{"loadBalancer", `{"deregistrationDelaySeconds":3601}`, "loadBalancer.deregistrationDelaySeconds", "not within 0 to 3600"},
		{"loadBalancer", `{"idleTimeoutSeconds":65}`, "loadBalancer.idleTimeoutSeconds", "not within 1 to 64"},
		{"loadBalancer", `{"healthCheck":{"path":"readyz"}}`, "loadBalancer.healthCheck.path", "begins with a slash"},
		{"loadBalancer", `{"healthCheck":{"status":"OK"}}`, "loadBalancer.healthCheck.status", "not a status, a list or a range"},
		{"loadBalancer", `{"healthCheck":{"intervalSeconds":5}}`, "loadBalancer.healthCheck.timeoutSeconds", "not less than the interval of 5"},
		{"loadBalancer", `{"healthCheck":{"healthyCount":1}}`, "loadBalancer.healthCheck.healthyCount", "not within 2 to 10"},
		{"service", `{"cpu":300}`, "service.cpu", "no Fargate task has 300 CPU units"},
		{"service", `{"cpu":256,"memoryMiB":4096}`, "service.cpu", "with 256 it is 512, 1024 or 2048 MiB"},
		{"service", `{"cpu":"256"}`, "service.cpu", `"256", which is not a whole number`},
		{"service", `{"cpu":256.5}`, "service.cpu", `256.5, which is not a whole number`},
		{"service", `{"architecture":"sparc"}`, "service.architecture", "not one of arm64, x86_64"},
		{"service", `{"minimum":0}`, "service.minimum", "not within 1 to 5000"},
		{"service", `{"minimum":5,"maximum":4}`, "service.maximum", "less than the minimum of 5"},
		{"service", `{"cpuTargetPercent":100}`, "service.cpuTargetPercent", "not within 10 to 95"},
		{"service", `{"spotPercent":101}`, "service.spotPercent", "not within 0 to 100"},
		{"service", `{"placeholderImage":"no image"}`, "service.placeholderImage", "not an image's name"},
		{"service", `{"containerInsights":"on"}`, "service.containerInsights", "not one of disabled, enabled, enhanced"},
		{"service", `{"environment":{"9LIVES":"x"}}`, "service.environment.9LIVES", "not a name that an environment variable can have"},
		{"service", `{"environment":{"COLOUR":"red"}}`, "service.environment.COLOUR", "set by the program itself"},
		{"service", `{"environment":{"LOG_LEVEL":1}}`, "service.environment.LOG_LEVEL", "1, which is not a text"},
		{"service", `{"memory":512}`, "service.memory", "is not a key of service"},
		{"rollout", `{"preset":"careful"}`, "rollout.preset", `"careful", which is not one of allAtOnce, canary, linear`},
		{"rollout", `{"preset":"canary","steps":[{"weight":100}]}`, "rollout.preset", "give preset or steps"},
		{"rollout", `{"steps":[{"weight":0},{"weight":100}]}`, "rollout.steps[0].weight", "not within 1 to 100"},
		{"rollout", `{"steps":[{"weight":50},{"weight":40},{"weight":100}]}`, "rollout.steps[1].weight", "does not rise"},
		{"rollout", `{"steps":[{"weight":50}]}`, "rollout.steps[0].weight", "the last step must be 100"},
		{"rollout", `{"steps":[{"bakeSeconds":60}]}`, "rollout.steps[0].weight", "is missing"},
		{"rollout", `{"steps":[{"weight":10,"bakeSeconds":90000},{"weight":100}]}`, "rollout.steps[0].bakeSeconds", "not within 0 to 86400"},
		{"rollout", `{"steps":[{"weight":10,"bake":60},{"weight":100}]}`, "rollout.steps[0].bake", "is not a key of rollout.steps[0]"},
		{"rollout", `{"onFailure":"panic"}`, "rollout.onFailure", "not one of rollback, freeze"},
		{"rollout", `{"standbySeconds":-1}`, "rollout.standbySeconds", "not within 0 to 604800"},
		{"rollout", `{"probes":{"paths":["readyz"]}}`, "rollout.probes.paths[0]", "is not a path"},
		{"rollout", `{"limits":{"errorPercent":80}}`, "rollout.limits.errorPercent", "not within 0.01 to 50"},
		{"rollout", `{"limits":{"errors":1}}`, "rollout.limits.errors", "is not a key of rollout.limits"},
		{"sleep", `{"from":"20:00","until":"07:00"}`, "sleep.timezone", "is missing"},
		{"sleep", `{"from":"8 pm","until":"07:00","timezone":"UTC"}`, "sleep.from", `"8 pm", which is not a time of day of 24 hours`},
		{"sleep", `{"from":"20:00","until":"20:00","timezone":"UTC"}`, "sleep.until", "when it goes to sleep as well"},
		{"sleep", `{"from":"20:00","until":"07:00","timezone":"Berlin"}`, "sleep.timezone", "not a name of the IANA time zone database"},
		{"sleep", `{"from":"20:00","until":"07:00","timezone":"UTC","days":["Monday"]}`, "sleep.days[0]", "not one of SUN, MON, TUE"},
		{"sleep", `{"from":"20:00","until":"07:00","timezone":"UTC","days":[]}`, "sleep.days", "it would never wake"},
		{"sleep", `{"down":"20:00","from":"20:00","until":"07:00","timezone":"UTC"}`, "sleep.down", "is not a key of sleep"},
		{"sleep", `true`, "sleep", "which is not an object"},
		{"tools", `{"region":"eu-central-1"}`, "tools.accountId", "is missing"},
		{"tools", `{"accountId":"12345","region":"eu-central-1"}`, "tools.accountId", "not an account's twelve digits"},
		{"tools", `{"accountId":210987654321,"region":"eu-central-1"}`, "tools.accountId", "which is not a text"},
		{"tools", `{"accountId":"210987654321","region":"Frankfurt"}`, "tools.region", "not a region's name"},
		{"tools", `{"accountId":"210987654321","region":"eu-central-1","pipelineRole":"*"}`, "tools.pipelineRole", "not a role's name"},
		{"alarms", `{"errorsPerMinute":-1}`, "alarms.errorsPerMinute", "not within 0 to"},
		{"environments", `[{"name":"dev"}]`, "environments", "belongs to stacks of role shared, and this one is of role env"},
		{"approval", `{"timeoutMinutes":60}`, "approval", "belongs to stacks of role shared"},
	} {
		t.Run(c.key+" "+c.value, func(t *testing.T) { refuses(t, map[string]string{c.key: c.value}, c.path, c.what) })
	}
}

func TestEachWrongValueOfASharedStackIsNamedWithARightOne(t *testing.T) {
	for _, c := range []struct{ key, value, path, what string }{
		{"environments", `[]`, "environments", "one environment at least"},
		{"environments", `[{}]`, "environments[0].name", "is missing"},
		{"environments", `["dev"]`, "environments[0]", "which is not an object"},
		{"environments", `[{"name":"dev"},{"name":"qa"},{"name":"Dev"}]`, "environments[2].name", "which environments[0] has already"},
		{"environments", `[{"name":"build"}]`, "environments[0].name", "the name of another stage"},
		{"environments", `[{"name":"my dev"}]`, "environments[0].name", "letters, digits and . @ _ - only"},
		{"environments", `[{"name":"dev","approval":"yes"}]`, "environments[0].approval", "not true or false"},
		{"environments", `[{"name":"dev","strategy":"bluegreen"}]`, "environments[0].strategy", "not one of blueGreen, rolling"},
		{"environments", `[{"name":"dev","stack":"dev"}]`, "environments[0].stack", "not organization/project/stack"},
		{"environments", `[{"name":"dev","approve":true}]`, "environments[0].approve", "is not a key of environments[0]"},
		{"source", `{"repository":"delivery"}`, "source.repository", "not owner/name"},
		{"source", `{"branch":""}`, "source.branch", "not a branch's name"},
		{"source", `{"paths":[]}`, "source.paths", "CodePipeline allows 1 to 8"},
		{"github", `{"ownerId":1,"repositoryId":2}`, "github.stateUrl", "is missing"},
		{"github", `{"ownerId":1,"repositoryId":0,"stateUrl":"s3://state"}`, "github.repositoryId", "not within 1 to"},
		{"github", `{"ownerId":"acme","repositoryId":2,"stateUrl":"s3://state"}`, "github.ownerId", "not a whole number"},
		{"github", `{"ownerId":1,"repositoryId":2,"stateUrl":"file://state"}`, "github.stateUrl", "not a bucket with a folder or without"},
		{"github", `{"ownerId":1,"repositoryId":2,"stateUrl":"s3://state","secretsKeyArn":"alias/state"}`, "github.secretsKeyArn", "not the ARN of a key"},
		{"github", `{"ownerId":1,"repositoryId":2,"stateUrl":"s3://state","oidcProviderArn":"github"}`, "github.oidcProviderArn",
			"not the ARN of GitHub's identity provider"},
		{"github", `{"ownerId":1,"repositoryId":2,"stateUrl":"s3://state","upRoles":{"prod":"arn:aws:iam::210987654321:role/up"}}`,
			"github.upRoles.prod", "not one of the stacks test, dev"},
		{"github", `{"ownerId":1,"repositoryId":2,"stateUrl":"s3://state","upRoles":{"dev":"admin"}}`, "github.upRoles.dev", "not the ARN of a role"},
		{"github", `{"ownerId":1,"repositoryId":2,"stateUrl":"s3://state","approvals":11}`, "github.approvals", "not within 0 to 10"},
		{"github", `{"ownerId":1,"repositoryId":2,"stateUrl":"s3://state","reviewers":[{"environment":"prod","users":[1]}]}`,
			"github.reviewers[0].environment", "not one of the stacks test, dev"},
		{"github", `{"ownerId":1,"repositoryId":2,"stateUrl":"s3://state","reviewers":[{"environment":"dev"}]}`,
			"github.reviewers[0]", "0 reviewers; GitHub allows 1 to 6"},
		{"image", `{"untaggedDays":0}`, "image.untaggedDays", "not within 1 to"},
		{"scan", `{"failOn":"SEVERE"}`, "scan.failOn", "not one of none, CRITICAL, HIGH, MEDIUM, LOW"},
		{"scan", `{"exceptions":[{"id":"CVE-2026-1","reason":"not used here"}]}`, "scan.exceptions[0].until", "is missing"},
		{"scan", `{"exceptions":[{"id":"CVE 1","reason":"not used here","until":"2026-12-31"}]}`, "scan.exceptions[0].id", "not a finding's name"},
		{"scan", `{"exceptions":[{"id":"CVE-2026-1","reason":"no","until":"2026-12-31"}]}`, "scan.exceptions[0].reason", "not a reason"},
		{"scan", `{"exceptions":[{"id":"CVE-2026-1","reason":"not used here","until":"31.12.2026"}]}`, "scan.exceptions[0].until", "not a day"},
		{"scan", `{"exceptions":[{"id":"CVE-2026-1","reason":"not used here","until":"2026-12-31"},` +
			`{"id":"CVE-2026-1","reason":"not used here","until":"2027-12-31"}]}`, "scan.exceptions[1].id", "which scan.exceptions[0] has already"},
		{"build", `{"buildspec":"../buildspec.yml"}`, "build.buildspec", "not a path inside the repository"},
		{"build", `{"baseImage":"Node 24"}`, "build.baseImage", "not an image's name"},
		{"build", `{"image":""}`, "build.image", "is empty"},
		{"build", `{"compute":"LARGE"}`, "build.compute", "not one of BUILD_GENERAL1_SMALL"},
		{"build", `{"timeoutMinutes":4}`, "build.timeoutMinutes", "not within 5 to 2160"},
		{"approval", `{"timeoutMinutes":4}`, "approval.timeoutMinutes", "not within 5 to 86400"},
		{"approval", `{"timeoutMinutes":86401}`, "approval.timeoutMinutes", "not within 5 to 86400"},
		{"deploy", `{"timeoutMinutes":61}`, "deploy.timeoutMinutes", "not within 1 to 60"},
		{"service", `{"cpu":512}`, "service", "belongs to stacks of role env, and this one is of role shared"},
		{"strategy", "rolling", "strategy", "belongs to stacks of role env"},
	} {
		t.Run(c.key+" "+c.value, func(t *testing.T) {
			config := map[string]string{"role": "shared", "environments": `[{"name":"dev"}]`, "accept": "[]"}
			config[c.key] = c.value
			refuses(t, config, c.path, c.what)
		})
	}
}

// refuses expects one problem, at the path, with an example where there is something to put in its place.
func refuses(t *testing.T, config map[string]string, path, what string) {
	t.Helper()
	problems := problemsOf(t, config)
	require.Len(t, problems, 1, "%v", problems)
	assert.Equal(t, "penguinshop:"+path, problems[0].Path)
	assert.Contains(t, problems[0].What, what)
	if !strings.Contains(what, "belongs to") && !strings.Contains(what, "program itself") && !strings.Contains(what, "as well") {
		assert.NotEmpty(t, problems[0].Example)
	}
}

func TestSleepIsRefusedWhereItWouldHarm(t *testing.T) {
	night := `{"from":"20:00","until":"07:00","timezone":"Europe/Berlin"}`
	refuses(t, map[string]string{"sleep": night, "strategy": "rolling"}, "sleep", "environments of the strategy blueGreen")
	refuses(t, map[string]string{"sleep": night, "production": "true"}, "sleep", "would take production away from its users every night")
	declared(t, map[string]string{"sleep": night, "production": "true", "accept": `[{"rule":"plain-http","reason":"a test speaks no TLS"},
		{"rule":"sleeping-production","reason":"a shop for office hours alone"}]`})
}

func TestAllProblemsAreToldAtOnceInOrder(t *testing.T) {
	_, err := run(t, map[string]string{
		"accept": "[]", "service": `{"cpu":300,"minimum":0,"colour":"red"}`, "network": `{"zones":1}`, "rollout": `{"steps":[{"weight":10}]}`,
	})
	require.Error(t, err)
	lines := strings.Split(err.Error(), "\n")
	assert.Contains(t, lines[0], "the config of stack test has 6 problems:")
	var paths []string
	for _, line := range lines[1:] {
		path, _, _ := strings.Cut(strings.TrimSpace(line), ": ")
		paths = append(paths, path)
	}
	assert.Equal(t, []string{
		"penguinshop:https", "penguinshop:network.zones", "penguinshop:rollout.steps[0].weight",
		"penguinshop:service.colour", "penguinshop:service.cpu", "penguinshop:service.minimum",
	}, paths)
}

func TestAMissingRoleIsNamed(t *testing.T) {
	_, err := project(nil).Run(t.Context(), "test", stacks.Declare, graph.WithoutConfig("test", "role"))
	require.ErrorContains(t, err, "penguinshop:role: is missing; a right value is env")
}

func TestAStackWhoseNameIsTooLongForAWSsNamesIsRefused(t *testing.T) {
	name := strings.Repeat("e", 15)
	p := graph.New("penguinshop", map[string]map[string]string{name: {
		"aws:region": "eu-central-1", "role": "env", "accept": `[{"rule":"plain-http","reason":"a test speaks no TLS"}]`,
	}})
	_, err := p.Run(t.Context(), name, stacks.Declare)
	require.ErrorContains(t, err, "a stack of role env has a name of at most 14 characters")
}

func TestAnUnknownKeyInAStacksFileIsRefused(t *testing.T) {
	dir := t.TempDir()
	copyFile(t, filepath.Join(root, "Pulumi.yaml"), filepath.Join(dir, "Pulumi.yaml"))
	text, err := os.ReadFile(filepath.Join(root, "Pulumi.dev.yaml"))
	require.NoError(t, err)
	text = append(text, "  penguinshop:servise: {cpu: 512}\n  rolout: {preset: canary}\n  other:key: left alone\n"...)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "Pulumi.dev.yaml"), text, 0o600))
	p, err := graph.Load(dir)
	require.NoError(t, err)
	_, err = p.Run(t.Context(), "dev", stacks.Declare)
	require.ErrorContains(t, err, "penguinshop:servise: is not a key of this program")
	assert.ErrorContains(t, err, "penguinshop:rolout: is not a key of this program")
	assert.NotContains(t, err.Error(), "other:key")
}

func TestAnUnknownKeyThatPulumisCommandHandsOverIsRefused(t *testing.T) {
	values, err := json.Marshal(map[string]string{"penguinshop:role": "env", "penguinshop:Service": `{"cpu":512}`, "aws:region": "eu-central-1"})
	require.NoError(t, err)
	t.Setenv(pulumi.EnvConfig, string(values))
	problems := problemsOf(t, nil)
	require.Len(t, problems, 1)
	assert.Equal(t, stacks.Problem{Path: "penguinshop:Service", What: "is not a key of this program", Example: "service"}, problems[0])
}

func TestTheDefaultsOfPulumiYamlAreNoForeignKeys(t *testing.T) {
	p, err := graph.Load(root)
	require.NoError(t, err)
	require.Contains(t, p.Config("shared"), "penguinshop:strategy", "Pulumi gives every stack the project's defaults")
	_, err = p.Run(t.Context(), "shared", stacks.Declare,
		graph.WithOutputs("organization/penguinshop/dev", contract.FakeOutputs("dev", contract.BlueGreen)),
		graph.WithOutputs("organization/penguinshop/qa", contract.FakeOutputs("qa", contract.BlueGreen)),
		graph.WithOutputs("organization/penguinshop/prod", contract.FakeOutputs("prod", contract.BlueGreen)))
	require.NoError(t, err)
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(to, text, 0o600))
}
