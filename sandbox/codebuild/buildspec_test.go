package codebuild_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/codebuild"
)

func TestEveryProblemOfABuildspecIsNamedAtOnce(t *testing.T) {
	w := newWorld(t, `version: 0.1
run-as: nobody
env:
  shell: fish
  variables: {CODEBUILD_MINE: x, "a-b": y, LIST: [1]}
  parameter-store: {SECRET: /a}
  secrets-manager: {SECRET: a}
  exported-variables: [ok, "not ok"]
phases:
  prebuild: {commands: [true]}
  build:
    on-failure: RETRY-3
    commands:
      - echo key: value
      - echo ok
  install: {}
artifacts:
  files: [/etc/passwd, ../up]
  discard-paths: perhaps
  secondary-artifacts: {more: {base-directory: out}}
extra: 1
`)
	_, err := w.build()
	require.Error(t, err)
	assert.Equal(t, `buildspec.yml:
  version (line 1): "0.1": the sandbox runs version 0.2
  run-as (line 2): the sandbox cannot do this: commands run as the user who started it
  env.shell (line 4): "fish": the sandbox has sh and bash
  env.variables.CODEBUILD_MINE (line 5): "CODEBUILD_MINE": names that begin with CODEBUILD_ are reserved
  env.variables.a-b (line 5): "a-b" is no variable's name: letters, digits and _, not beginning with a digit
  env.variables.LIST (line 5): must be a text
  env.parameter-store (line 6): the sandbox cannot do this: it has no access to Parameter Store from a build; declare the variable as plain text
  env.secrets-manager (line 7): the sandbox cannot do this: it has no Secrets Manager; declare a variable that the sandbox can be given
  env.exported-variables (line 8): "not ok" is no variable's name
  phases.prebuild (line 10): unknown key: here may stand build, install, post_build, pre_build
  phases.build.on-failure (line 12): "RETRY-3": the sandbox does ABORT and CONTINUE; a retry would hide what failed
  phases.build.commands[0] (line 14): must be a text: a colon followed by a space makes it a mapping, so put it in quotes or in a block (|)
  phases.install (line 16): has no commands
  artifacts.discard-paths (line 19): "perhaps" is neither yes nor no
  artifacts.secondary-artifacts.more (line 20): has no files
  artifacts (line 18): pattern 1, "/etc/passwd", is no file pattern inside the source, such as dist/**/*
  artifacts (line 18): pattern 2, "../up", is no file pattern inside the source, such as dist/**/*
  extra (line 21): unknown key: here may stand artifacts, batch, cache, env, phases, proxy, reports, run-as, version`, err.Error())
	assert.Empty(t, w.log(), "nothing ran")
}

func TestABuildspecThatIsNoneIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":                       "buildspec.yml: empty",
		"a: [":                   "buildspec.yml: not YAML",
		"- version: 0.2":         "must be a mapping",
		"version: 0.2":           "phases (line 1): is missing",
		"version: 0.2\nphases: ": "phases (line 2): must be a mapping",
	} {
		_, err := newWorld(t, text).build()
		assert.ErrorContains(t, err, want, text)
	}
}

func TestABuildspecIsFoundWhereTheProjectSays(t *testing.T) {
	spec := func(says string) string { return "version: 0.2\nphases: {build: {commands: [echo " + says + "]}}\n" }
	source := func(buildspec string) option {
		return with("source", object{"type": "CODEPIPELINE", "buildspec": buildspec})
	}

	w := newWorld(t, spec("root"), source("ci/build.yml"))
	w.write("ci/build.yml", spec("elsewhere"))
	w.mustBuild()
	assert.Equal(t, []string{"elsewhere"}, w.printed())

	w = newWorld(t, spec("root"), source(""))
	w.mustBuild()
	assert.Equal(t, []string{"root"}, w.printed())

	w = newWorld(t, spec("root"), source(spec("inline")))
	w.mustBuild()
	assert.Equal(t, []string{"inline"}, w.printed())

	_, err := newWorld(t, spec("root"), source("missing.yml")).build()
	assert.ErrorContains(t, err, "the buildspec of project shop cannot be read from the source")
	assert.ErrorContains(t, err, "missing.yml")
	_, err = newWorld(t, spec("root"), source("../outside.yml")).build()
	assert.ErrorContains(t, err, "the buildspec of project shop cannot be read from the source")
}

func TestEveryProblemOfAProjectIsNamedAtOnce(t *testing.T) {
	inputs := projectInputs("buildspec.yml")
	inputs["buildTimeout"] = 3
	inputs["fileSystemLocations"] = []any{object{}}
	inputs["source"] = object{"type": "GITHUB", "buildspec": "arn:aws:s3:::bucket/buildspec.yml"}
	inputs["artifacts"] = object{"type": "S3"}
	inputs["environment"] = object{"type": "WINDOWS_SERVER_2022_CONTAINER", "image": "x", "environmentVariables": []any{
		object{"name": "TOKEN", "value": "/token", "type": "PARAMETER_STORE"}, object{"name": "1ST", "value": ""},
	}}
	err := codebuild.New(codebuild.Config{}).Providers()[codebuild.ProjectType].Create(t.Context(), declared(inputs))
	for _, want := range []string{
		"the sandbox does not imitate the input fileSystemLocations",
		`source.type: "GITHUB"`,
		`source.buildspec: "arn:aws:s3:::bucket/buildspec.yml"`,
		`artifacts.type: "S3"`,
		`environment.type: "WINDOWS_SERVER_2022_CONTAINER"`,
		"environment.environmentVariables[0]: TOKEN is of type PARAMETER_STORE",
		`environment.environmentVariables[1]: "1ST" is no variable's name`,
		"buildTimeout: 3: CodeBuild takes 5 to 2160 minutes",
	} {
		assert.ErrorContains(t, err, want)
	}
}

func TestAProjectCanBeChangedAndRemoved(t *testing.T) {
	w := newWorld(t, printEnvironment)
	provider := w.service.Providers()[codebuild.ProjectType]
	prior, next := declared(projectInputs("buildspec.yml")), projectInputs("buildspec.yml")
	assert.ErrorContains(t, provider.Create(t.Context(), prior), `there is already a CodeBuild project "shop"`)
	next["environment"].(object)["environmentVariables"] = []any{object{"name": "B", "value": "changed"}}
	require.NoError(t, provider.Update(t.Context(), prior, declared(next)))
	w.mustBuild()
	assert.Equal(t, "changed", environment(w)["B"])
	require.NoError(t, provider.Delete(t.Context(), declared(next)))
	_, err := w.build()
	assert.ErrorContains(t, err, "there is no CodeBuild project")
}

func TestWhatIsLeftOutWithoutHarmIsNamedInTheLog(t *testing.T) {
	w := newWorld(t, "version: 0.2\nphases: {build: {commands: [true]}}\ncache: {paths: [node_modules]}\nproxy: {logs: yes}",
		with("cache", object{"type": "LOCAL", "modes": []any{"LOCAL_DOCKER_LAYER_CACHE"}}), with("vpcConfig", object{"vpcId": "vpc-1"}))
	w.mustBuild()
	for _, want := range []string{"the project's cache", "the project's vpcConfig", "Note: cache is left out", "Note: proxy is left out"} {
		assert.Contains(t, w.log(), want)
	}
}
