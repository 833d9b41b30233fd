package engine

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
)

// EndpointVariable names the environment variable with the address of an AWS emulator, such as http://127.0.0.1:4566. With it
// the suite runs on Pulumi's own plugins and that emulator instead of the stand-in providers:
//
//	AWS_ENDPOINT_URL=http://127.0.0.1:4566 go -C tests/engine test -run 'WholeLife|Undoes' -v .
//
// Tests that change the world behind the engine's back need the stand-ins, and say so. An emulator's account holds nothing of
// value: the suite destroys what it has brought up, and the credentials are words.
const EndpointVariable = "AWS_ENDPOINT_URL"

// Emulator is an AWS emulator that speaks every service at one address.
type Emulator struct{ URL string }

// NamedEmulator returns the emulator that the environment names; nil where it names none.
func NamedEmulator() (*Emulator, error) {
	text := os.Getenv(EndpointVariable)
	if text == "" {
		return nil, nil
	}
	at, err := url.Parse(text)
	if err != nil || at.Scheme != "http" && at.Scheme != "https" || at.Host == "" {
		return nil, fmt.Errorf("%s is %q, which is not an emulator's address; a right value is http://127.0.0.1:4566", EndpointVariable, text)
	}
	return &Emulator{URL: strings.TrimSuffix(text, "/")}, nil
}

// endpoints are the services that the program's resources and questions go to, by the beginning of the types' tokens, in the
// names that the provider's config has for them.
var endpoints = map[string]string{
	"aws:acm/":                        "acm",
	"aws:appautoscaling/":             "appautoscaling",
	"aws:cloudwatch/compositeAlarm:":  "cloudwatch",
	"aws:cloudwatch/dashboard:":       "cloudwatch",
	"aws:cloudwatch/eventRule:":       "events",
	"aws:cloudwatch/eventTarget:":     "events",
	"aws:cloudwatch/logGroup:":        "logs",
	"aws:cloudwatch/logMetricFilter:": "logs",
	"aws:cloudwatch/metricAlarm:":     "cloudwatch",
	"aws:codebuild/":                  "codebuild",
	"aws:codeconnections/":            "codeconnections",
	"aws:codepipeline/":               "codepipeline",
	"aws:ec2/":                        "ec2",
	"aws:ecr/":                        "ecr",
	"aws:ecs/":                        "ecs",
	"aws:iam/":                        "iam",
	"aws:index/":                      "sts",
	"aws:kms/":                        "kms",
	"aws:lambda/":                     "lambda",
	"aws:lb/":                         "elbv2",
	"aws:route53/":                    "route53",
	"aws:s3/":                         "s3",
	"aws:scheduler/":                  "scheduler",
	"aws:sns/":                        "sns",
	"aws:ssm/":                        "ssm",
}

// Config is the stack config that sends every call of the AWS provider to the emulator. Its keys are paths.
func (e *Emulator) Config() auto.ConfigMap {
	config := auto.ConfigMap{
		"aws:s3UsePathStyle":            {Value: "true"}, // a bucket's own host name leads nowhere
		"aws:skipCredentialsValidation": {Value: "true"},
		"aws:skipMetadataApiCheck":      {Value: "true"},
		"aws:skipRegionValidation":      {Value: "true"},
	}
	for _, service := range endpoints {
		config["aws:endpoints[0]."+service] = auto.ConfigValue{Value: e.URL}
	}
	return config
}

// Environment is what the engine's process gets to reach the emulator, and nothing else, by Pulumi's own plugins in home.
func (e *Emulator) Environment(home string) map[string]string {
	return map[string]string{
		"PULUMI_HOME": home, EndpointVariable: e.URL,
		"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "", "AWS_EC2_METADATA_DISABLED": "true",
	}
}

// Plugin is one of Pulumi's resource plugins in the version that the program's SDK asks for.
type Plugin struct{ Name, Version string }

// Plugins are those that the program needs on an emulator.
func Plugins(ctx context.Context) ([]Plugin, error) {
	var plugins []Plugin
	for name, module := range map[string]string{
		"aws": "github.com/pulumi/pulumi-aws/sdk/v6", "awsx": "github.com/pulumi/pulumi-awsx/sdk/v2",
	} {
		version, err := pinned(ctx, module)
		if err != nil {
			return nil, err
		}
		plugins = append(plugins, Plugin{Name: name, Version: version})
	}
	slices.SortFunc(plugins, func(a, b Plugin) int { return strings.Compare(a.Name, b.Name) })
	return plugins, nil
}

// Missing says how to get each of the plugins that is neither in Pulumi's folder nor on the PATH; empty where all are there.
func Missing(plugins []Plugin, home string) []string {
	var problems []string
	for _, p := range plugins {
		if _, err := os.Stat(filepath.Join(home, "plugins", fmt.Sprintf("resource-%s-%s", p.Name, p.Version))); err == nil {
			continue
		}
		if _, err := exec.LookPath("pulumi-resource-" + p.Name); err == nil {
			continue
		}
		problems = append(problems, fmt.Sprintf("the plugin %s %s is missing: run `pulumi plugin install resource %s %s`",
			p.Name, p.Version, p.Name, p.Version))
	}
	return problems
}
