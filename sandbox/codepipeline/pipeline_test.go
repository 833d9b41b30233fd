package codepipeline_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/codepipeline"
	"github.com/penguinshop/delivery/sandbox/graph"
	"github.com/penguinshop/delivery/sandbox/journal"
)

const connection = "arn:aws:codeconnections:eu-central-1:123456789012:connection/c"

// world is what the pipelines of a test act on: it notes what reaches it and does what the test says.
type world struct {
	*codepipeline.Service
	mu     sync.Mutex
	events []string
	head   string
	// function answers an invocation; it runs on its own, as a Lambda does.
	function func(job, token, parameters string)
	// build runs a build.
	build func(context.Context, codepipeline.Build) (codepipeline.Built, error)
}

func (w *world) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, fmt.Sprintf(format, args...))
}

func (w *world) noted() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.events)
}

func (w *world) Head(_ context.Context, branch string) (codepipeline.Commit, error) {
	return w.Commit(context.Background(), w.head)
}

func (w *world) Commit(_ context.Context, id string) (codepipeline.Commit, error) {
	return codepipeline.Commit{ID: id, Message: "message of " + id, Date: time.Unix(0, 0)}, nil
}

func (w *world) Export(_ context.Context, id, folder string) error {
	return os.WriteFile(filepath.Join(folder, "commit"), []byte(id), 0o600)
}

func (w *world) Clone(ctx context.Context, id, folder string) error {
	w.note("clone %s", id)
	return w.Export(ctx, id, folder)
}

func (w *world) Build(ctx context.Context, b codepipeline.Build) (codepipeline.Built, error) {
	w.note("build %s of %s", b.Project, b.Commit)
	if w.build != nil {
		return w.build(ctx, b)
	}
	source, err := os.ReadFile(filepath.Join(b.Sources[b.Primary], "commit"))
	if err != nil {
		return codepipeline.Built{}, err
	}
	for _, folder := range b.Artifacts {
		if err := os.WriteFile(filepath.Join(folder, "imagedefinitions.json"), []byte(`[{"name":"app","imageUri":"repo@`+string(source)+`"}]`), 0o600); err != nil {
			return codepipeline.Built{}, err
		}
	}
	return codepipeline.Built{ID: b.Project + ":1", Variables: map[string]string{"IMAGE": "image-of-" + string(source)}}, nil
}

func (w *world) InvokeAsync(_ context.Context, function string, event []byte) error {
	var e struct {
		Job struct {
			ID   string
			Data struct {
				ContinuationToken   string
				ActionConfiguration struct{ Configuration map[string]string }
			}
		} `json:"CodePipeline.job"`
	}
	if err := json.Unmarshal(event, &e); err != nil {
		return err
	}
	parameters := e.Job.Data.ActionConfiguration.Configuration["UserParameters"]
	w.note("invoke %s %s token=%s", function, parameters, e.Job.Data.ContinuationToken)
	if w.function == nil {
		return errors.New("no function")
	}
	go w.function(e.Job.ID, e.Job.Data.ContinuationToken, parameters)
	return nil
}

func (w *world) succeed(t *testing.T, job string, variables map[string]string) {
	_, err := w.PutJobSuccessResult(context.Background(), &sdk.PutJobSuccessResultInput{JobId: &job, OutputVariables: variables})
	assert.NoError(t, err)
}

func (w *world) fail(t *testing.T, job, message string) {
	_, err := w.PutJobFailureResult(context.Background(), &sdk.PutJobFailureResultInput{JobId: &job,
		FailureDetails: &types.FailureDetails{Type: types.FailureTypeJobFailed, Message: &message}})
	assert.NoError(t, err)
}

func (w *world) start(t *testing.T) string {
	started, err := w.StartPipelineExecution(context.Background(), &sdk.StartPipelineExecutionInput{Name: aws.String("p")})
	require.NoError(t, err)
	return *started.PipelineExecutionId
}

func (w *world) wait(t *testing.T, id string) *types.PipelineExecution {
	ended, err := w.Wait(context.Background(), "p", id)
	require.NoError(t, err)
	return ended
}

func (w *world) state(t *testing.T, stage string) types.StageState {
	state, err := w.GetPipelineState(context.Background(), &sdk.GetPipelineStateInput{Name: aws.String("p")})
	require.NoError(t, err)
	i := slices.IndexFunc(state.StageStates, func(s types.StageState) bool { return *s.StageName == stage })
	require.GreaterOrEqual(t, i, 0, stage)
	return state.StageStates[i]
}

func (w *world) answer(t *testing.T, status types.ApprovalStatus) {
	action := w.state(t, "prod").ActionStates[0]
	_, err := w.PutApprovalResult(context.Background(), &sdk.PutApprovalResultInput{PipelineName: aws.String("p"), StageName: aws.String("prod"),
		ActionName: action.ActionName, Token: action.LatestExecution.Token, Result: &types.ApprovalResult{Status: status, Summary: aws.String("as I say")}})
	require.NoError(t, err)
}

type object = map[string]any

func stage(name string, actions ...any) object { return object{"name": name, "actions": actions} }

func act(name, kind string, more object) object {
	a := object{"name": name, "owner": "AWS", "version": "1"}
	a["category"], a["provider"] = filepath.Dir(kind), filepath.Base(kind)
	for key, value := range more {
		a[key] = value
	}
	return a
}

func source() object {
	return stage("Source", act("checkout", "Source/CodeStarSourceConnection", object{"namespace": "Source", "outputArtifacts": []any{"source"},
		"configuration": object{"ConnectionArn": connection, "FullRepositoryId": "o/r", "BranchName": "main"}}))
}

func build() object {
	return stage("Build", act("image", "Build/CodeBuild", object{"namespace": "Build", "inputArtifacts": []any{"source"},
		"outputArtifacts": []any{"image"}, "configuration": object{"ProjectName": "project"}}))
}

func invoke(name, parameters string, more object) object {
	a := act(name, "Invoke/Lambda", more)
	a["configuration"] = object{"FunctionName": "f", "UserParameters": parameters}
	return a
}

func approval() object {
	return act("approve", "Approval/Manual", object{"configuration": object{"CustomData": "commit #{Source.CommitId}"}})
}

func pipeline(stages ...object) graph.Resource {
	list := []any{}
	for _, s := range stages {
		list = append(list, s)
	}
	declared := object{"name": "p", "pipelineType": "V2", "stages": list, "artifactStores": []any{object{"location": "bucket", "type": "S3"}}}
	return graph.Resource{URN: "urn:p", Inputs: declared, Outputs: declared}
}

// open raises the service with a pipeline in a bubble whose time passes as soon as everybody waits.
func open(t *testing.T, p graph.Resource, body func(w *world)) {
	synctest.Test(t, func(t *testing.T) {
		clock := clockwork.NewRealClock()
		w := &world{head: "c1"}
		w.Service = codepipeline.New(codepipeline.Config{Clock: clock, Journal: journal.New(clock), Region: "eu-central-1", Account: "123456789012",
			Folder: filepath.Join(t.TempDir(), "artifacts"), Repository: w, Builds: w, Functions: w})
		defer func() { assert.NoError(t, w.Close()) }()
		providers := w.Providers()
		require.NoError(t, providers["aws:codeconnections/connection:Connection"].Create(t.Context(), graph.Resource{Outputs: object{"arn": connection}}))
		require.NoError(t, providers["aws:codepipeline/pipeline:Pipeline"].Create(t.Context(), p))
		body(w)
	})
}

func TestAPipelineRunsAsDeclared(t *testing.T) {
	t.Run("stages, artifacts and variables follow the declaration", func(t *testing.T) {
		p := pipeline(source(), build(), stage("dev", invoke("shift", "#{Build.IMAGE} of #{Source.CommitId} in #{codepipeline.PipelineExecutionId}", nil)))
		open(t, p, func(w *world) {
			w.function = func(job, _, _ string) { w.succeed(t, job, nil) }
			id := w.start(t)
			ended := w.wait(t, id)
			assert.Equal(t, types.PipelineExecutionStatusSucceeded, ended.Status)
			assert.Equal(t, "c1", *ended.ArtifactRevisions[0].RevisionId)
			assert.Equal(t, []string{"build project of c1", "invoke f image-of-c1 of c1 in " + id + " token="}, w.noted())
		})
	})
	t.Run("a changed declaration changes what the next execution runs", func(t *testing.T) {
		open(t, pipeline(source(), build()), func(w *world) {
			assert.Equal(t, types.PipelineExecutionStatusSucceeded, w.wait(t, w.start(t)).Status)
			w.function = func(job, _, _ string) { w.succeed(t, job, nil) }
			next := pipeline(source(), stage("first", invoke("hello", "x", nil)), build())
			require.NoError(t, w.Providers()["aws:codepipeline/pipeline:Pipeline"].Update(t.Context(), pipeline(), next))
			assert.Equal(t, types.PipelineExecutionStatusSucceeded, w.wait(t, w.start(t)).Status)
			assert.Equal(t, []string{"build project of c1", "invoke f x token=", "build project of c1"}, w.noted())
		})
	})
	t.Run("equal run orders run at the same time, higher ones after them", func(t *testing.T) {
		p := pipeline(source(), stage("dev", invoke("late", "late", object{"runOrder": 2}), invoke("a", "a", nil), invoke("b", "b", object{"runOrder": 1})))
		open(t, p, func(w *world) {
			w.function = func(job, _, parameters string) {
				time.Sleep(time.Minute)
				w.note("answer %s", parameters)
				w.succeed(t, job, nil)
			}
			w.wait(t, w.start(t))
			got := w.noted()
			require.Len(t, got, 6)
			assert.ElementsMatch(t, []string{"invoke f a token=", "invoke f b token="}, got[:2])
			assert.ElementsMatch(t, []string{"answer a", "answer b"}, got[2:4])
			assert.Equal(t, []string{"invoke f late token=", "answer late"}, got[4:])
		})
	})
	t.Run("a failing action stops the pipeline with its message", func(t *testing.T) {
		open(t, pipeline(source(), stage("dev", invoke("shift", "x", nil)), build()), func(w *world) {
			w.function = func(job, _, _ string) { w.fail(t, job, "rolled back: blue 100, green 0") }
			ended := w.wait(t, w.start(t))
			assert.Equal(t, types.PipelineExecutionStatusFailed, ended.Status)
			assert.Equal(t, "dev/shift: rolled back: blue 100, green 0", *ended.StatusSummary)
			assert.Equal(t, "rolled back: blue 100, green 0", *w.state(t, "dev").ActionStates[0].LatestExecution.ErrorDetails.Message)
			assert.Equal(t, []string{"invoke f x token="}, w.noted())
		})
	})
	t.Run("a variable that no action gave fails the action by name", func(t *testing.T) {
		open(t, pipeline(source(), build(), stage("dev", invoke("shift", "#{Build.NOBODY}", nil))), func(w *world) {
			ended := w.wait(t, w.start(t))
			assert.Equal(t, types.PipelineExecutionStatusFailed, ended.Status)
			assert.Contains(t, *ended.StatusSummary, "UserParameters uses #{Build.NOBODY}")
		})
	})
	t.Run("an action ends at its declared timeout", func(t *testing.T) {
		b := build()
		b["actions"].([]any)[0].(object)["timeoutInMinutes"] = 7
		open(t, pipeline(source(), b), func(w *world) {
			w.build = func(ctx context.Context, _ codepipeline.Build) (codepipeline.Built, error) {
				<-ctx.Done()
				return codepipeline.Built{}, ctx.Err()
			}
			began := time.Now()
			ended := w.wait(t, w.start(t))
			assert.Contains(t, *ended.StatusSummary, "no result within 7m0s")
			assert.Equal(t, 7*time.Minute, time.Since(began))
		})
	})
}

func TestTheJobProtocol(t *testing.T) {
	p := pipeline(source(), stage("dev", invoke("prepare", "prepare", object{"namespace": "dev-prepare"}),
		invoke("shift", "shift #{dev-prepare.Colour}", object{"runOrder": 2})))
	t.Run("a continuation token comes back with the next invocation, and output variables reach later actions", func(t *testing.T) {
		open(t, p, func(w *world) {
			w.function = func(job, token, parameters string) {
				switch {
				case parameters == "prepare":
					w.succeed(t, job, map[string]string{"Colour": "green"})
				case token == "":
					_, err := w.PutJobSuccessResult(context.Background(), &sdk.PutJobSuccessResultInput{JobId: &job, ContinuationToken: aws.String("t1"),
						ExecutionDetails: &types.ExecutionDetails{Summary: aws.String("at 10 percent")}})
					assert.NoError(t, err)
				default:
					assert.Equal(t, "at 10 percent", *w.state(t, "dev").ActionStates[1].LatestExecution.Summary)
					w.succeed(t, job, nil)
				}
			}
			assert.Equal(t, types.PipelineExecutionStatusSucceeded, w.wait(t, w.start(t)).Status)
			assert.Equal(t, []string{"invoke f prepare token=", "invoke f shift green token=", "invoke f shift green token=t1"}, w.noted())
		})
	})
	t.Run("no answer within 20 minutes fails the action, and a late answer is refused", func(t *testing.T) {
		open(t, p, func(w *world) {
			unanswered := make(chan string, 1)
			w.function = func(job, _, _ string) { unanswered <- job }
			began := time.Now()
			ended := w.wait(t, w.start(t))
			assert.Equal(t, types.PipelineExecutionStatusFailed, ended.Status)
			assert.Equal(t, 20*time.Minute, time.Since(began))
			late := <-unanswered
			_, err := w.PutJobSuccessResult(t.Context(), &sdk.PutJobSuccessResultInput{JobId: &late})
			var state *types.InvalidJobStateException
			assert.ErrorAs(t, err, &state)
		})
	})
	t.Run("an answer that AWS would refuse is refused", func(t *testing.T) {
		open(t, p, func(w *world) {
			opened := make(chan string, 1)
			w.function = func(job, _, _ string) { opened <- job }
			id := w.start(t)
			job := <-opened
			var invalid *types.ValidationException
			for name, in := range map[string]*sdk.PutJobSuccessResultInput{
				"token and variables": {ContinuationToken: aws.String("t"), OutputVariables: map[string]string{"A": "b"}},
				"empty token":         {ContinuationToken: aws.String("")},
				"long token":          {ContinuationToken: aws.String(string(make([]byte, 2049)))},
				"variable name":       {OutputVariables: map[string]string{"a b": "c"}},
			} {
				in.JobId = &job
				_, err := w.PutJobSuccessResult(t.Context(), in)
				assert.ErrorAs(t, err, &invalid, name)
			}
			_, err := w.PutJobFailureResult(t.Context(), &sdk.PutJobFailureResultInput{JobId: &job, FailureDetails: &types.FailureDetails{
				Type: types.FailureTypeJobFailed, Message: aws.String(string(make([]byte, 5001)))}})
			assert.ErrorAs(t, err, &invalid)
			_, err = w.PutJobSuccessResult(t.Context(), &sdk.PutJobSuccessResultInput{JobId: aws.String("nobody's")})
			var unknown *types.JobNotFoundException
			assert.ErrorAs(t, err, &unknown)
			w.fail(t, job, "enough")
			w.wait(t, id)
		})
	})
}

func TestApprovals(t *testing.T) {
	p := pipeline(source(), stage("prod", approval(), invoke("shift", "x", object{"runOrder": 2})))
	t.Run("an approval releases the stage, and a second answer is refused", func(t *testing.T) {
		open(t, p, func(w *world) {
			w.function = func(job, _, _ string) { w.succeed(t, job, nil) }
			id := w.start(t)
			synctest.Wait()
			asked := w.state(t, "prod").ActionStates[0]
			require.NotNil(t, asked.LatestExecution.Token)
			answer := &sdk.PutApprovalResultInput{PipelineName: aws.String("p"), StageName: aws.String("prod"), ActionName: aws.String("approve"),
				Token: aws.String("another"), Result: &types.ApprovalResult{Status: types.ApprovalStatusApproved, Summary: aws.String("yes")}}
			_, err := w.PutApprovalResult(t.Context(), answer)
			var token *types.InvalidApprovalTokenException
			require.ErrorAs(t, err, &token)
			answer.Token = asked.LatestExecution.Token
			_, err = w.PutApprovalResult(t.Context(), answer)
			require.NoError(t, err)
			_, err = w.PutApprovalResult(t.Context(), answer)
			var done *types.ApprovalAlreadyCompletedException
			require.ErrorAs(t, err, &done)
			assert.Equal(t, types.PipelineExecutionStatusSucceeded, w.wait(t, id).Status)
			details, err := w.ListActionExecutions(t.Context(), &sdk.ListActionExecutionsInput{PipelineName: aws.String("p")})
			require.NoError(t, err)
			assert.Equal(t, "commit c1", details.ActionExecutionDetails[1].Input.ResolvedConfiguration["CustomData"])
		})
	})
	t.Run("a rejection fails the stage with the person's words", func(t *testing.T) {
		open(t, p, func(w *world) {
			id := w.start(t)
			synctest.Wait()
			w.answer(t, types.ApprovalStatusRejected)
			assert.Equal(t, "prod/approve: rejected: as I say", *w.wait(t, id).StatusSummary)
		})
	})
	t.Run("nobody's answer within seven days fails it", func(t *testing.T) {
		open(t, p, func(w *world) {
			began := time.Now()
			w.wait(t, w.start(t))
			assert.Equal(t, 7*24*time.Hour, time.Since(began))
		})
	})
}

func TestExecutionModes(t *testing.T) {
	three := func(w *world) (ids []string) {
		for range 3 {
			ids = append(ids, w.start(t))
			time.Sleep(time.Second)
		}
		return ids
	}
	statuses := func(w *world, ids []string) (all []types.PipelineExecutionStatus) {
		for _, id := range ids {
			all = append(all, w.wait(t, id).Status)
		}
		return all
	}
	slow := func(w *world) func(job, _, _ string) {
		return func(job, _, _ string) { time.Sleep(time.Minute); w.succeed(t, job, nil) }
	}
	const succeeded, superseded = types.PipelineExecutionStatusSucceeded, types.PipelineExecutionStatusSuperseded
	for _, c := range []struct {
		mode     string
		want     []types.PipelineExecutionStatus
		duration time.Duration
	}{
		{"SUPERSEDED", []types.PipelineExecutionStatus{succeeded, superseded, succeeded}, 2 * time.Minute},
		{"QUEUED", []types.PipelineExecutionStatus{succeeded, succeeded, succeeded}, 3 * time.Minute},
		{"PARALLEL", []types.PipelineExecutionStatus{succeeded, succeeded, succeeded}, time.Minute + 2*time.Second},
	} {
		t.Run(c.mode, func(t *testing.T) {
			p := pipeline(source(), stage("dev", invoke("shift", "x", nil)))
			p.Outputs["executionMode"] = c.mode
			open(t, p, func(w *world) {
				w.function = slow(w)
				began := time.Now()
				assert.Equal(t, c.want, statuses(w, three(w)))
				assert.Equal(t, c.duration, time.Since(began))
			})
		})
	}
	t.Run("a waiting execution is shown as inbound, and can be stopped", func(t *testing.T) {
		open(t, pipeline(source(), stage("dev", invoke("shift", "x", nil))), func(w *world) {
			w.function = slow(w)
			first, second := w.start(t), ""
			synctest.Wait()
			second = w.start(t)
			synctest.Wait()
			assert.Equal(t, second, *w.state(t, "dev").InboundExecution.PipelineExecutionId)
			_, err := w.StopPipelineExecution(t.Context(), &sdk.StopPipelineExecutionInput{PipelineName: aws.String("p"), PipelineExecutionId: &second})
			require.NoError(t, err)
			assert.Equal(t, types.PipelineExecutionStatusStopped, w.wait(t, second).Status)
			assert.Equal(t, succeeded, w.wait(t, first).Status)
		})
	})
	t.Run("abandoning ends the running action at once", func(t *testing.T) {
		open(t, pipeline(source(), stage("dev", invoke("shift", "x", nil))), func(w *world) {
			w.function = func(string, string, string) {}
			id := w.start(t)
			synctest.Wait()
			_, err := w.StopPipelineExecution(t.Context(), &sdk.StopPipelineExecutionInput{PipelineName: aws.String("p"), PipelineExecutionId: &id, Abandon: true})
			require.NoError(t, err)
			assert.Equal(t, types.PipelineExecutionStatusStopped, w.wait(t, id).Status)
			assert.Equal(t, types.ActionExecutionStatusAbandoned, w.state(t, "dev").ActionStates[0].LatestExecution.Status)
		})
	})
}

func TestAFailedStage(t *testing.T) {
	// flaky fails "b" for the first n times, and answers everything else with success.
	flaky := func(w *world, n int) func(job, _, parameters string) {
		return func(job, _, parameters string) {
			if w.mu.Lock(); parameters == "b" && n > 0 {
				n--
				w.mu.Unlock()
				w.fail(t, job, "b is broken")
				return
			}
			w.mu.Unlock()
			w.succeed(t, job, nil)
		}
	}
	declared := func(failing object) graph.Resource {
		s := stage("dev", invoke("a", "a", nil), invoke("b", "b", object{"runOrder": 2}))
		if failing != nil {
			s["onFailure"] = failing
		}
		return pipeline(source(), s)
	}
	t.Run("is retried by hand, its failed actions only", func(t *testing.T) {
		open(t, declared(nil), func(w *world) {
			w.function = flaky(w, 1)
			id := w.start(t)
			assert.Equal(t, types.PipelineExecutionStatusFailed, w.wait(t, id).Status)
			retry := &sdk.RetryStageExecutionInput{PipelineName: aws.String("p"), PipelineExecutionId: &id, StageName: aws.String("dev"),
				RetryMode: types.StageRetryModeFailedActions}
			_, err := w.RetryStageExecution(t.Context(), retry)
			require.NoError(t, err)
			assert.Equal(t, types.PipelineExecutionStatusSucceeded, w.wait(t, id).Status)
			assert.Equal(t, []string{"invoke f a token=", "invoke f b token=", "invoke f b token="}, w.noted())
			_, err = w.RetryStageExecution(t.Context(), retry)
			var not *types.StageNotRetryableException
			assert.ErrorAs(t, err, &not)
		})
	})
	t.Run("is retried once by itself where it declares so", func(t *testing.T) {
		open(t, declared(object{"result": "RETRY", "retryConfiguration": object{"retryMode": "ALL_ACTIONS"}}), func(w *world) {
			w.function = flaky(w, 1)
			assert.Equal(t, types.PipelineExecutionStatusSucceeded, w.wait(t, w.start(t)).Status)
			assert.Equal(t, []string{"invoke f a token=", "invoke f b token=", "invoke f a token=", "invoke f b token="}, w.noted())
		})
		open(t, declared(object{"result": "RETRY"}), func(w *world) {
			w.function = flaky(w, 2)
			assert.Equal(t, types.PipelineExecutionStatusFailed, w.wait(t, w.start(t)).Status)
		})
	})
	t.Run("returns to its last success where it declares so", func(t *testing.T) {
		p := pipeline(source(), stage("dev", invoke("a", "#{Source.CommitId}", nil)))
		p.Outputs["stages"].([]any)[1].(object)["onFailure"] = object{"result": "ROLLBACK"}
		open(t, p, func(w *world) {
			w.function = func(job, _, parameters string) {
				if parameters == "c2" {
					w.fail(t, job, "c2 is broken")
					return
				}
				w.succeed(t, job, nil)
			}
			good := w.start(t)
			w.wait(t, good)
			w.head = "c2"
			assert.Equal(t, types.PipelineExecutionStatusFailed, w.wait(t, w.start(t)).Status)
			listed, err := w.ListPipelineExecutions(t.Context(), &sdk.ListPipelineExecutionsInput{PipelineName: aws.String("p")})
			require.NoError(t, err)
			newest := listed.PipelineExecutionSummaries[0]
			assert.Equal(t, types.ExecutionTypeRollback, newest.ExecutionType)
			assert.Equal(t, good, *newest.RollbackMetadata.RollbackTargetPipelineExecutionId)
			assert.Equal(t, types.PipelineExecutionStatusSucceeded, w.wait(t, *newest.PipelineExecutionId).Status)
			assert.Equal(t, []string{"invoke f c1 token=", "invoke f c2 token=", "invoke f c1 token="}, w.noted())
		})
	})
}

func TestABadDeclarationIsRefusedWithAllItsProblems(t *testing.T) {
	bad := pipeline(source(), stage("dev",
		act("jenkins", "Build/Jenkins", nil),
		act("deploy", "Deploy/ECS", object{"inputArtifacts": []any{"nowhere"}, "region": "us-east-1", "timeoutInMinutes": 1,
			"configuration": object{"ClusterName": "c", "ServiceName": "#{never.Was}", "Colour": "green"}}),
		invoke("long", string(make([]byte, 1001)), object{"namespace": "Source"}),
	))
	bad.Outputs["stages"].([]any)[1].(object)["beforeEntry"] = object{"condition": object{}}
	synctest.Test(t, func(t *testing.T) {
		clock := clockwork.NewRealClock()
		s := codepipeline.New(codepipeline.Config{Clock: clock, Journal: journal.New(clock), Region: "eu-central-1", Folder: t.TempDir()})
		defer func() { assert.NoError(t, s.Close()) }()
		err := s.Providers()["aws:codepipeline/pipeline:Pipeline"].Create(t.Context(), bad)
		for _, want := range []string{
			"urn:p cannot run", "no action type Build/AWS/Jenkins/1", `no earlier action gives an artifact called "nowhere"`,
			"no artifact store is declared for us-east-1", `no earlier action has the namespace "never"`, "no such key for Deploy/AWS/ECS/1",
			"1 is not within 5 to 86400", "AWS takes 1000 characters", `"Source" is taken`, "beforeEntry: the sandbox evaluates no stage conditions",
		} {
			assert.ErrorContains(t, err, want)
		}
		unknown := pipeline(source(), build())
		unknown.Inputs["bells"] = "whistles"
		err = s.Providers()["aws:codepipeline/pipeline:Pipeline"].Create(t.Context(), unknown)
		assert.ErrorContains(t, err, "does not imitate the input bells")
		assert.Empty(t, s.Names())
	})
}

func TestAPushStartsWhatItsTriggersAccept(t *testing.T) {
	filters := func(push object) any {
		return []any{object{"providerType": "CodeStarSourceConnection", "gitConfiguration": object{"sourceActionName": "checkout", "pushes": []any{push}}}}
	}
	app := filters(object{"branches": object{"includes": []any{"main", "release/*"}}, "filePaths": object{"includes": []any{"app/**"}, "excludes": []any{"**/*.md"}}})
	for name, c := range map[string]struct {
		triggers any
		branch   string
		paths    []string
		starts   bool
	}{
		"a file of the app":                {app, "main", []string{"README.md", "app/public/index.html"}, true},
		"no file of the app":               {app, "main", []string{"stacks/env.go"}, false},
		"an excluded file":                 {app, "main", []string{"app/README.md"}, false},
		"a branch of the pattern":          {app, "release/1", []string{"app/index.js"}, true},
		"a deeper branch than the pattern": {app, "release/1/2", []string{"app/index.js"}, false},
		"another branch":                   {app, "feature", []string{"app/index.js"}, false},
		"tags only":                        {filters(object{"tags": object{"includes": []any{"v*"}}}), "main", []string{"x"}, false},
		"no trigger, the declared branch":  {nil, "main", []string{"x"}, true},
		"no trigger, another branch":       {nil, "other", []string{"x"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			p := pipeline(source(), build())
			if c.triggers != nil {
				p.Outputs["triggers"] = c.triggers
			}
			open(t, p, func(w *world) {
				started := w.Push(codepipeline.Push{Branch: c.branch, Commit: "c9", Paths: c.paths})
				if !c.starts {
					assert.Empty(t, started)
					return
				}
				assert.Equal(t, "c9", *w.wait(t, started["p"]).ArtifactRevisions[0].RevisionId)
			})
		})
	}
}
