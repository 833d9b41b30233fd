package ecs_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"pgregory.net/rapid"
)

// step is one thing that happens to a service, and how long it is let be afterwards.
type step struct {
	Do    string
	Count int
	Which int
	Wait  time.Duration
}

// history is a whole life of a service: how it is declared, how its containers behave, and what happens to it.
type history struct {
	Desired, Minimum, Maximum int
	Rollback                  bool
	Warmup, Drain             time.Duration
	Steps                     []step
}

var (
	calm   = []string{"scale", "deploy", "force"}
	faults = []string{"scale", "deploy", "force", "kill", "stop", "sicken", "deployBad", "deployMissing"}
)

func drawHistory(r *rapid.T, happenings []string) history {
	h := history{
		Desired: rapid.IntRange(0, 6).Draw(r, "desired"),
		Minimum: rapid.SampledFrom([]int{0, 50, 75, 100}).Draw(r, "minimum"), Maximum: rapid.SampledFrom([]int{125, 150, 200}).Draw(r, "maximum"),
		Rollback: rapid.Bool().Draw(r, "rollback"),
		Warmup:   time.Duration(rapid.IntRange(0, 30).Draw(r, "warmup")) * time.Second, Drain: time.Duration(rapid.IntRange(0, 60).Draw(r, "drain")) * time.Second,
	}
	h.Steps = rapid.SliceOfN(rapid.Custom(func(r *rapid.T) step {
		return step{
			Do: rapid.SampledFrom(happenings).Draw(r, "do"), Count: rapid.IntRange(0, 6).Draw(r, "count"), Which: rapid.IntRange(0, 11).Draw(r, "which"),
			Wait: time.Duration(rapid.SampledFrom([]int{0, 1, 7, 40, 200}).Draw(r, "wait")) * time.Second,
		}
	}), 0, 8).Draw(r, "steps")
	return h
}

// live plays a history and returns what went wrong. The last revision is a good one and the sick recover, so that in the end
// the service must stand as wanted.
func live(t *testing.T, h history, isCalm bool) (wrong []string) {
	complain := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	within(t, func(t *testing.T, w *world) {
		w.engine.acts("sha256:bbbb", behaviour{exits: 2 * time.Second, code: 1, startTakes: time.Second})
		w.engine.acts("sha256:aaaa", behaviour{startTakes: 2 * time.Second})
		w.images["missing"] = fmt.Errorf("manifest unknown")
		w.groups.warmup, w.groups.drain = h.Warmup, h.Drain
		sick := map[string]bool{}
		w.groups.sicken(func(id string) bool { return sick[id] })
		good := w.register(t, shape(goodImage))
		w.create(t, service(good, int32(h.Desired), func(in *ecs.CreateServiceInput) {
			in.DeploymentConfiguration.MinimumHealthyPercent, in.DeploymentConfiguration.MaximumPercent = new(int32(h.Minimum)), new(int32(h.Maximum))
			in.DeploymentConfiguration.DeploymentCircuitBreaker.Rollback = h.Rollback
		}))
		w.steady(t)

		desired, before, served := h.Desired, h.Desired, h.Desired
		watch := func(d time.Duration) {
			for gone, pause := time.Duration(0), time.Second; gone <= d; gone += pause {
				synctest.Wait()
				sv := w.look(t)
				now, upper, lower := int(sv.RunningCount+sv.PendingCount), desired*h.Maximum/100, (desired*h.Minimum+99)/100
				if now > max(before, upper) {
					complain("%d tasks run or start, %d did before, and %d are allowed", now, before, upper)
				}
				serving := w.groups.healthy()
				if isCalm && serving < min(lower, served) {
					complain("%d tasks serve, %d did before, and %d must", serving, served, lower)
				}
				before, served = now, serving
				if gone > 15*time.Second {
					pause = 5 * time.Second // most happens at first
				}
				pass(pause)
			}
		}
		for _, s := range h.Steps {
			running := w.tasks(t, types.DesiredStatusRunning)
			switch s.Do {
			case "scale":
				desired = s.Count
				w.update(t, &ecs.UpdateServiceInput{DesiredCount: new(int32(s.Count))})
			case "deploy":
				w.update(t, &ecs.UpdateServiceInput{TaskDefinition: new(w.register(t, shape(goodImage)))})
			case "deployBad":
				w.update(t, &ecs.UpdateServiceInput{TaskDefinition: new(w.register(t, shape(badImage)))})
			case "deployMissing":
				w.update(t, &ecs.UpdateServiceInput{TaskDefinition: new(w.register(t, shape("missing")))})
			case "force":
				w.update(t, &ecs.UpdateServiceInput{ForceNewDeployment: true})
			case "kill":
				if len(running) > 0 {
					w.KillTask(t.Context(), *running[s.Which%len(running)].TaskArn) //nolint:errcheck // it may not have started
				}
			case "stop":
				if len(running) > 0 {
					task := running[s.Which%len(running)].TaskArn
					if _, err := w.StopTask(t.Context(), &ecs.StopTaskInput{Cluster: new("shop"), Task: task}); err != nil {
						complain("%v", err)
					}
				}
			case "sicken":
				if ids := w.groups.inService(); len(ids) > 0 {
					w.groups.set(func() { sick[ids[s.Which%len(ids)]] = true })
				}
			}
			watch(s.Wait)
		}

		w.groups.set(func() { clear(sick) })
		if desired*h.Maximum/100 == (desired*h.Minimum+99)/100 { // so few that the bounds leave no room to move
			desired = 4
			w.update(t, &ecs.UpdateServiceInput{DesiredCount: new(int32(desired))})
		}
		last := w.register(t, shape(goodImage))
		w.update(t, &ecs.UpdateServiceInput{TaskDefinition: &last})
		watch(2 * time.Minute)
		pass(time.Hour)
		sv := w.look(t)
		switch {
		case int(sv.RunningCount) != desired || sv.PendingCount != 0 || len(sv.Deployments) != 1:
			complain("in the end %d run and %d start of %d in %d deployments: %s", sv.RunningCount, sv.PendingCount, desired, len(sv.Deployments),
				strings.Join(messages(sv)[:min(10, len(sv.Events))], "\n"))
		case sv.Deployments[0].RolloutState != types.DeploymentRolloutStateCompleted || aws.ToString(sv.TaskDefinition) != last:
			complain("in the end the deployment is %s of %s", sv.Deployments[0].RolloutState, aws.ToString(sv.TaskDefinition))
		case len(w.groups.inService()) != desired || len(w.engine.running()) != desired:
			complain("in the end %d targets serve and %d containers run of %d", len(w.groups.inService()), len(w.engine.running()), desired)
		}
	})
	return slices.Compact(wrong)
}

// Whatever dies, is stopped, turns sick, is scaled or deployed: the scheduler starts nothing over maximumPercent and comes to
// the wanted count of the wanted revision.
func TestTheSchedulerConvergesAfterAnyHistory(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		if wrong := live(t, drawHistory(r, faults), false); len(wrong) > 0 {
			r.Fatalf("%s", strings.Join(wrong, "\n"))
		}
	})
}

// Where nothing breaks, deployments and scaling never leave fewer tasks in service than minimumHealthyPercent asks for.
func TestTheSchedulerNeverLosesServingTasksWhereNothingBreaks(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		if wrong := live(t, drawHistory(r, calm), true); len(wrong) > 0 {
			r.Fatalf("%s", strings.Join(wrong, "\n"))
		}
	})
}
