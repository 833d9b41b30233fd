package handler

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/shiftfn/adapter"
	"github.com/penguinshop/delivery/shiftfn/controller"
	"github.com/penguinshop/delivery/shiftfn/rollout"
	"github.com/penguinshop/delivery/shiftfn/settings"
)

// What a job's event holds beside the question, and must reach nobody.
const (
	accessKey, secretKey, sessionToken = "AKIDOFTHEARTIFACTS", "sEcReTkEyOfThEaRtIfAcTs", "tOkEnOfThEaRtIfAcTs"
)

// question is the event of a pipeline's job, as «Invoke an AWS Lambda function in a pipeline in CodePipeline» shows it.
func question(job, parameters, token string) string {
	text := func(s string) string { b, _ := json.Marshal(s); return string(b) }
	continued := ""
	if token != "" {
		continued = `,"continuationToken":` + text(token)
	}
	return `{"CodePipeline.job":{"id":` + text(job) + `,"accountId":"123456789012","data":{"actionConfiguration":{"configuration":{` +
		`"FunctionName":"penguinshop-dev-shift","UserParameters":` + text(parameters) + `}},"inputArtifacts":[],"outputArtifacts":[],` +
		`"artifactCredentials":{"accessKeyId":"` + accessKey + `","secretAccessKey":"` + secretKey + `","sessionToken":"` + sessionToken + `"}` +
		continued + `}}}`
}

func shift(job, token string) string {
	return question(job, `{"command":"shift","digest":"`+digest+`","commit":"c0ffee","candidate":"green"}`, token)
}

const enough = 10 * time.Minute

// deploy is what the pipeline's action does between prepare and shift.
func (e *environment) deploy() {
	e.sides[rollout.Green].taskDefinition = "arn:task-definition/" + digest
}

func TestPrepareTellsThePipelineWhichSideIsNext(t *testing.T) {
	e := newEnvironment(t)
	require.NoError(t, e.invoke(t, question("job-1", `{"command":"prepare"}`, ""), enough))
	a := e.last(t)
	assert.Equal(t, "succeeded", a.kind)
	assert.Equal(t, "job-1", a.job)
	assert.Equal(t, map[string]string{"ServiceName": "shop-green", "CandidateColour": "green", "LiveColour": "blue"}, a.outputs)
}

func TestAPreparationThatCannotBeginFailsItsAction(t *testing.T) {
	e := newEnvironment(t)
	e.weights = rollout.Weights{Blue: 70, Green: 30}
	require.NoError(t, e.invoke(t, question("job-1", `{"command":"prepare"}`, ""), enough))
	assert.Equal(t, "failed", e.last(t).kind)
	assert.Contains(t, e.last(t).text, "blue 70, green 30")
}

func TestAShiftIsAnsweredWithATokenWhenTimeIsShortAndGoesOnFromIt(t *testing.T) {
	e := newEnvironment(t)
	e.deploy()
	token, answered := "", 0
	for job := 1; ; job++ {
		require.Less(t, job, 50)
		require.NoError(t, e.invoke(t, shift(fmt.Sprint("job-", job), token), 11*time.Second))
		require.Len(t, e.answers, job, "each job has one answer")
		if e.last(t).kind != "continued" {
			break
		}
		answered++
		token = e.last(t).token
		assert.Empty(t, e.last(t).outputs)
	}
	assert.Equal(t, 2, answered)
	assert.Equal(t, "succeeded", e.last(t).kind)
	assert.Contains(t, e.last(t).text, "live: blue 0, green 100 since 2026-03-01")
	assert.Equal(t, rollout.Weights{Green: 100}, e.weights)
}

func TestAShiftThatFailsSaysWhereTrafficIsAndWhy(t *testing.T) {
	e := newEnvironment(t)
	e.deploy()
	e.bad = true
	require.NoError(t, e.invoke(t, shift("job-1", ""), enough))
	a := e.last(t)
	assert.Equal(t, "failed", a.kind)
	assert.True(t, strings.HasPrefix(a.text, "rolled back: blue 100, green 0."), a.text)
	assert.Contains(t, a.text, "HTTP 500 instead of 200")
	assert.Contains(t, a.text, "cannot open the till")
	require.Len(t, e.events, 1)
	assert.Equal(t, rollout.RolledBack, e.events[0].Outcome)
	assert.Contains(t, e.log.String(), "shift ended")
}

func TestASecondDeliveryOfAJobIsIgnored(t *testing.T) {
	e := newEnvironment(t)
	e.deploy()
	require.NoError(t, e.invoke(t, shift("job-1", ""), enough))
	told := len(e.answers)
	require.NoError(t, e.invoke(t, shift("job-1", ""), enough))
	assert.Len(t, e.answers, told)
	assert.Equal(t, rollout.Weights{Green: 100}, e.weights)
}

func TestTheScheduleRetiresTheStandbyOnce(t *testing.T) {
	e := newEnvironment(t)
	e.deploy()
	require.NoError(t, e.invoke(t, shift("job-1", ""), enough))
	standby := e.lease.String()
	require.Contains(t, standby, `"kind":"standby"`)
	assert.Equal(t, 2, e.sides[rollout.Blue].tasks)

	require.NoError(t, e.invoke(t, standby, enough), "early: it is set again")
	assert.Equal(t, 2, e.sides[rollout.Blue].tasks)
	e.now = e.lease.Due
	require.NoError(t, e.invoke(t, standby, enough))
	assert.Zero(t, e.sides[rollout.Blue].tasks)
	assert.Equal(t, controller.LeaseEnded, e.lease.Kind)
	assert.Equal(t, controller.EventRetired, e.events[len(e.events)-1].Kind)
	e.sides[rollout.Blue].tasks = 2
	require.NoError(t, e.invoke(t, standby, enough), "late: the world has moved on")
	assert.Equal(t, 2, e.sides[rollout.Blue].tasks)
}

func TestTheScheduleContinuesAShiftThatWasCutOff(t *testing.T) {
	e := newEnvironment(t)
	e.deploy()
	require.NoError(t, e.invoke(t, shift("job-1", ""), 13*time.Second))
	require.Equal(t, "continued", e.last(t).kind)
	wake := e.lease.String()
	e.now = e.lease.Due
	require.NoError(t, e.invoke(t, wake, enough))
	assert.Equal(t, "succeeded", e.last(t).kind)
	assert.Equal(t, "job-1", e.last(t).job)
}

func TestAnAlarmInsideTheStandbyRollsBackAndOutsideItIsToldAlone(t *testing.T) {
	for name, event := range map[string]string{
		"from EventBridge": `{"version":"0","id":"1","source":"aws.cloudwatch","detail-type":"CloudWatch Alarm State Change","detail":{"alarmName":"errors","state":{"value":"ALARM"}}}`,
		"from CloudWatch":  `{"source":"aws.cloudwatch","alarmArn":"arn:aws:cloudwatch:eu-central-1:123456789012:alarm:errors","alarmData":{"alarmName":"errors","state":{"value":"ALARM"}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnvironment(t)
			e.alarm = rollout.AlarmRinging
			require.NoError(t, e.invoke(t, event, enough))
			assert.Equal(t, rollout.Weights{Blue: 100}, e.weights)
			require.Len(t, e.events, 1)
			assert.Equal(t, controller.EventAlarm, e.events[0].Kind)

			e.alarm = rollout.AlarmOK
			e.deploy()
			require.NoError(t, e.invoke(t, shift("job-1", ""), enough))
			require.Equal(t, rollout.Weights{Green: 100}, e.weights)
			e.alarm = rollout.AlarmRinging
			require.NoError(t, e.invoke(t, event, enough))
			assert.Equal(t, rollout.Weights{Blue: 100}, e.weights)
			assert.Equal(t, rollout.RolledBack, e.events[len(e.events)-1].Outcome)
			assert.Contains(t, e.events[len(e.events)-1].Reason, "errors rang while the old version was warm")
		})
	}
}

func TestWrongUserParametersFailTheActionWithEverythingThatIsWrong(t *testing.T) {
	for parameters, says := range map[string][]string{
		``:                             {"is not the JSON object that is expected", `"command":"shift"`},
		`shift`:                        {"is not the JSON object that is expected"},
		`[]`:                           {"is not the JSON object that is expected"},
		`{"command":"prepare"} x`:      {"is not the JSON object that is expected"},
		`{"command":"prepare","no":1}`: {"is not the JSON object that is expected"},
		`{"command":7}`:                {"is not the JSON object that is expected"},
		`{}`:                           {`command is ""`},
		`{"command":"launch"}`:         {`command is "launch"`},
		`{"command":"shift","digest":"latest","candidate":"red"}`:                                                {`digest is "latest", not sha256:`, `candidate is "red", neither blue nor green`},
		`{"command":"shift","digest":"sha256:` + strings.Repeat("A", 64) + `","candidate":"blue"}`:               {"digest is"},
		`{"command":"shift","digest":"` + strings.Repeat("d", 100_000) + `","candidate":"blue"}`:                 {"digest is"},
		`{"command":"` + strings.Repeat("☃", 100_000) + `"}`:                                                     {"command is"},
		`{"command":"shift","digest":"#{Build.IMAGE_DIGEST}","candidate":"#{dev-prepare.CandidateColour}"}`:      {"#{Build.IMAGE_DIGEST}", "#{dev-prepare.CandidateColour}"},
		`{"command":"prepare","digest":"` + strings.Repeat("[", 100_000):                                         {"is not the JSON object that is expected"},
		`{"command":"prepare","nested":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `,"a":1}`: {"is not the JSON object that is expected"},
	} {
		e := newEnvironment(t)
		require.NoError(t, e.invoke(t, question("job-1", parameters, ""), enough), "%.80s", parameters)
		require.Len(t, e.answers, 1, "%.80s", parameters)
		a := e.last(t)
		assert.Equal(t, "failed", a.kind)
		for _, text := range says {
			assert.Contains(t, a.text, text)
		}
		assert.LessOrEqual(t, len([]rune(a.text)), 5000, "CodePipeline takes no longer one")
		assert.Nil(t, e.lease, "nothing was begun")
	}
}

func TestAWrongTokenFailsTheAction(t *testing.T) {
	for _, token := range []string{"next", `{"v":99}`, strings.Repeat("x", 5000)} {
		e := newEnvironment(t)
		for _, event := range []string{shift("job-1", token), question("job-2", `{"command":"prepare"}`, token)} {
			require.NoError(t, e.invoke(t, event, enough))
			assert.Equal(t, "failed", e.last(t).kind)
			assert.Contains(t, e.last(t).text, "the continuation token cannot be read")
			assert.LessOrEqual(t, len([]rune(e.last(t).text)), 5000)
		}
		assert.Nil(t, e.lease)
	}
}

func TestWhatIsNoEventIsAnErrorAndChangesNothing(t *testing.T) {
	for event, says := range map[string]string{
		``:                                "not a JSON object of a known shape",
		`null`:                            "neither a CodePipeline job",
		`{}`:                              "neither a CodePipeline job",
		`[{"id":1}]`:                      "not a JSON object of a known shape",
		`{"CodePipeline.job":{}}`:         "the job has no id",
		`{"CodePipeline.job":"id"}`:       "not a JSON object of a known shape",
		`{"source":"aws.cloudwatch"}`:     "the alarm has no name",
		`{"source":"aws.s3","detail":{}}`: "neither a CodePipeline job",
		`{"version":1,"kind":"feast"}`:    "unknown kind",
		`{"version":2,"kind":"standby"}`:  "version 2",
		`{"version":1,"kind":"standby","live":"red"}`:               "neither blue nor green",
		`{"version":1,"kind":"shift","token":"x"}`:                  "token",
		`{"version":1,"kind":"ended","secret":"` + secretKey + `"}`: "not a lease",
		strings.Repeat(`{"a":`, 100_000):                            "not a JSON object of a known shape",
	} {
		e := newEnvironment(t)
		err := e.invoke(t, event, enough)
		require.ErrorContains(t, err, says, "%.80s", event)
		assert.NotContains(t, err.Error(), secretKey)
		assert.Less(t, len(err.Error()), 1000)
		assert.Empty(t, e.answers)
		assert.Nil(t, e.lease)
	}
}

func TestNothingOfAJobsCredentialsLeavesTheFunction(t *testing.T) {
	e := newEnvironment(t)
	e.deploy()
	events := []string{shift("job-1", ""), shift("job-2", "bad token"), question("job-3", `{"command":"prepare"}`, ""), question("job-4", "{", ""),
		strings.Replace(shift("", ""), `"id":""`, `"id":7`, 1), shift("", "")}
	for _, event := range events {
		if err := e.invoke(t, event, enough); err != nil {
			e.log.WriteString(err.Error())
		}
	}
	e.fault = "an observation"
	require.Error(t, e.invoke(t, question("job-5", `{"command":"prepare"}`, ""), enough))
	told, err := json.Marshal([]any{fmt.Sprint(e.answers), e.events, e.lease})
	require.NoError(t, err)
	require.Contains(t, e.log.String(), "shift ended")
	for _, secret := range []string{accessKey, secretKey, sessionToken} {
		assert.NotContains(t, e.log.String(), secret)
		assert.NotContains(t, string(told), secret)
	}
}

func TestAFaultOfTheFunctionsOwnIsAnErrorAndTheScheduleGoesOn(t *testing.T) {
	e := newEnvironment(t)
	e.deploy()
	e.fault = "index out of range"
	err := e.invoke(t, shift("job-1", ""), enough)
	require.ErrorContains(t, err, "the schedule continues the shift: index out of range")
	assert.Contains(t, e.log.String(), "panic")
	assert.Empty(t, e.answers)
	e.fault = nil
	e.now = e.lease.Due
	require.NoError(t, e.invoke(t, e.lease.String(), enough))
	assert.Equal(t, "succeeded", e.last(t).kind)
}

func TestSettingsWithABadPolicyMakeNoHandler(t *testing.T) {
	_, err := New(settings.Settings{Policy: rollout.Policy{Preset: "panic"}}, adapter.Clients{}, newEnvironment(t), nil)
	assert.ErrorContains(t, err, "rollout.preset")
}
