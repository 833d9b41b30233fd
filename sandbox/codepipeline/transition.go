package codepipeline

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
)

// gate stands before a stage. A stage works on one execution at a time; others wait before it. In SUPERSEDED mode just the
// newest waits, and those it overtakes end; in QUEUED mode all wait in turn; in PARALLEL mode nobody waits.
type gate struct {
	holder *execution
	queue  []*execution
}

// enter moves the execution out of the stage it leaves (none at the beginning) and into the next, waiting where the stage is
// busy. It returns false when the execution has been superseded or stopped meanwhile.
func (s *Service) enter(e *execution, leaving, entering string) bool {
	s.mu.Lock()
	s.release(e, leaving)
	g := e.pipeline.gates[entering]
	switch {
	case e.declared.mode() == "PARALLEL":
		s.admit(e, entering)
		s.mu.Unlock()
		return true
	case g.holder == nil:
		g.holder = e
	default:
		if e.declared.mode() == "SUPERSEDED" {
			for _, older := range g.queue {
				older.status = types.PipelineExecutionStatusSuperseded
				older.summary = "superseded by " + e.id + " while it waited before " + entering
				wake(older)
			}
			g.queue = nil
		}
		g.queue = append(g.queue, e)
		s.tell(e, "execution", entering, "", "waits before "+entering+": "+g.holder.id+" is in it", nil)
	}
	for {
		switch {
		case g.holder == e && !e.halted():
			s.admit(e, entering)
			s.mu.Unlock()
			return true
		case e.halted() || e.status == types.PipelineExecutionStatusSuperseded:
			g.queue = slices.DeleteFunc(g.queue, func(waiting *execution) bool { return waiting == e })
			s.release(e, entering)
			s.mu.Unlock()
			return false
		}
		s.mu.Unlock()
		select {
		case <-e.woken:
		case <-e.context.Done():
		}
		s.mu.Lock()
	}
}

// admit notes that the execution is in the stage; the caller holds the mutex.
func (s *Service) admit(e *execution, name string) {
	e.pipeline.latest[name] = e
	if e.stages[name] == nil {
		e.stages[name] = &stageRun{}
	}
	e.stages[name].status = types.StageExecutionStatusInProgress
	s.tell(e, "stage", name, string(types.StageExecutionStatusInProgress), "begins", nil)
}

// release lets the next execution into the stage, if the given one is in it; the caller holds the mutex.
func (s *Service) release(e *execution, name string) {
	g := e.pipeline.gates[name]
	if g == nil || g.holder != e {
		return
	}
	g.holder = nil
	if len(g.queue) > 0 {
		g.holder, g.queue = g.queue[0], g.queue[1:]
		wake(g.holder)
	}
}

// wake tells a waiting execution to look again, without waiting for it.
func wake(e *execution) {
	select {
	case e.woken <- struct{}{}:
	default:
	}
}
