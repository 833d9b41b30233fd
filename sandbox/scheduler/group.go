package scheduler

import (
	"cmp"
	"context"
	"regexp"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"
)

// defaultGroup is the group of a request that names none.
const defaultGroup = "default"

type group struct {
	name, arn string
	// environment is the stack that declared the group, for the journal; empty for a group made by a call.
	environment string
	created     time.Time
	schedules   map[string]*schedule
}

var nameOf = regexp.MustCompile(`^[0-9a-zA-Z-_.]{1,64}$`)

func (s *Service) newGroup(name string) *group {
	return &group{name: name, arn: s.arn("schedule-group", name), created: s.Clock.Now(), schedules: map[string]*schedule{}}
}

// CreateScheduleGroup adds an empty group.
func (s *Service) CreateScheduleGroup(_ context.Context, in *scheduler.CreateScheduleGroupInput, _ ...func(*scheduler.Options)) (*scheduler.CreateScheduleGroupOutput, error) {
	name := aws.ToString(in.Name)
	if !nameOf.MatchString(name) {
		return nil, invalid("group name %q: 1 to 64 letters, digits and - _ . are allowed", name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, there := s.groups[name]; there {
		return nil, taken("Schedule group", name)
	}
	s.groups[name] = s.newGroup(name)
	return &scheduler.CreateScheduleGroupOutput{ScheduleGroupArn: &s.groups[name].arn}, nil
}

// GetScheduleGroup tells of a group.
func (s *Service) GetScheduleGroup(_ context.Context, in *scheduler.GetScheduleGroupInput, _ ...func(*scheduler.Options)) (*scheduler.GetScheduleGroupOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.group(in.Name)
	if err != nil {
		return nil, err
	}
	return &scheduler.GetScheduleGroupOutput{
		Arn: &g.arn, Name: &g.name, CreationDate: &g.created, LastModificationDate: &g.created, State: types.ScheduleGroupStateActive,
	}, nil
}

// DeleteScheduleGroup removes a group with all of its schedules, at once: AWS takes its time over it.
func (s *Service) DeleteScheduleGroup(_ context.Context, in *scheduler.DeleteScheduleGroupInput, _ ...func(*scheduler.Options)) (*scheduler.DeleteScheduleGroupOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.group(in.Name)
	if err != nil {
		return nil, err
	}
	if g.name == defaultGroup {
		return nil, invalid("The default schedule group cannot be deleted.")
	}
	delete(s.groups, g.name)
	s.poke()
	return &scheduler.DeleteScheduleGroupOutput{}, nil
}

// group finds a group; nil is the default one.
func (s *Service) group(named *string) (*group, error) {
	name := cmp.Or(aws.ToString(named), defaultGroup)
	if g, there := s.groups[name]; there {
		return g, nil
	}
	return nil, missing("Schedule group", name)
}
