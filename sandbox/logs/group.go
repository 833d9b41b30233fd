package logs

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/penguinshop/delivery/sandbox/fidelity"
)

type group struct {
	name, arn string
	kmsKeyID  *string
	class     types.LogGroupClass
	// retention is the number of days that events are kept; 0 is for ever.
	retention int32
	created   int64
	streams   map[string]*stream
	filters   map[string]*metricFilter // by name
}

// groupName is the pattern that CreateLogGroup's reference gives for names.
var groupName = regexp.MustCompile(`^[.\-_/#A-Za-z0-9]{1,512}$`)

// retentions are the numbers of days that PutRetentionPolicy's reference allows.
var retentions = []int32{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

// CreateLogGroup adds an empty group whose events are kept for ever.
func (s *Service) CreateLogGroup(_ context.Context, in *cloudwatchlogs.CreateLogGroupInput, _ ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.CreateLogGroupOutput, error) {
	if refusal := fidelity.Refusal(in, "LogGroupName", "KmsKeyId", "LogGroupClass", "Tags"); refusal != "" {
		return nil, invalid("%s", refusal)
	}
	name := aws.ToString(in.LogGroupName)
	if !groupName.MatchString(name) {
		return nil, invalid("log group name %q: 1 to 512 letters, digits and . - _ / # are allowed", name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, taken := s.groups[name]; taken {
		return nil, exists("group")
	}
	class := in.LogGroupClass
	if class == "" {
		class = types.LogGroupClassStandard
	}
	s.groups[name] = &group{
		name: name, arn: s.groupARN(name), kmsKeyID: in.KmsKeyId, class: class, created: s.now(), streams: map[string]*stream{},
		filters: map[string]*metricFilter{},
	}
	return &cloudwatchlogs.CreateLogGroupOutput{}, nil
}

// DeleteLogGroup removes a group with all of its streams.
func (s *Service) DeleteLogGroup(_ context.Context, in *cloudwatchlogs.DeleteLogGroupInput, _ ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.DeleteLogGroupOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.group(in.LogGroupName, nil); err != nil {
		return nil, err
	}
	delete(s.groups, *in.LogGroupName)
	return &cloudwatchlogs.DeleteLogGroupOutput{}, nil
}

// PutRetentionPolicy sets how many days a group's events are kept.
func (s *Service) PutRetentionPolicy(_ context.Context, in *cloudwatchlogs.PutRetentionPolicyInput, _ ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.PutRetentionPolicyOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.group(in.LogGroupName, nil)
	if err != nil {
		return nil, err
	}
	days := aws.ToInt32(in.RetentionInDays)
	if !slices.Contains(retentions, days) {
		return nil, invalid("retentionInDays %d: one of %v is allowed", days, retentions)
	}
	g.retention = days
	return &cloudwatchlogs.PutRetentionPolicyOutput{}, nil
}

// DeleteRetentionPolicy keeps a group's events for ever again.
func (s *Service) DeleteRetentionPolicy(_ context.Context, in *cloudwatchlogs.DeleteRetentionPolicyInput, _ ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.DeleteRetentionPolicyOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.group(in.LogGroupName, nil)
	if err != nil {
		return nil, err
	}
	g.retention = 0
	return &cloudwatchlogs.DeleteRetentionPolicyOutput{}, nil
}

// DescribeLogGroups lists groups by name, at most 50 a page.
func (s *Service) DescribeLogGroups(_ context.Context, in *cloudwatchlogs.DescribeLogGroupsInput, _ ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.DescribeLogGroupsOutput, error) {
	if refusal := fidelity.Refusal(in, "LogGroupNamePrefix", "LogGroupNamePattern", "Limit", "NextToken"); refusal != "" {
		return nil, invalid("%s", refusal)
	}
	if in.LogGroupNamePrefix != nil && in.LogGroupNamePattern != nil {
		return nil, invalid("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []types.LogGroup
	for _, name := range slices.Sorted(maps.Keys(s.groups)) {
		pattern := strings.ToLower(aws.ToString(in.LogGroupNamePattern))
		if strings.HasPrefix(name, aws.ToString(in.LogGroupNamePrefix)) && strings.Contains(strings.ToLower(name), pattern) {
			found = append(found, s.describe(s.groups[name]))
		}
	}
	page, next, err := paged(found, in.Limit, 50, in.NextToken)
	if err != nil {
		return nil, err
	}
	return &cloudwatchlogs.DescribeLogGroupsOutput{LogGroups: page, NextToken: next}, nil
}

func (s *Service) describe(g *group) types.LogGroup {
	d := types.LogGroup{
		Arn: new(g.arn + ":*"), LogGroupArn: new(g.arn), LogGroupName: new(g.name), LogGroupClass: g.class, KmsKeyId: g.kmsKeyID,
		CreationTime: new(g.created), MetricFilterCount: new(int32(0)), StoredBytes: new(int64(0)),
	}
	if g.retention > 0 {
		d.RetentionInDays = new(g.retention)
	}
	for _, stream := range g.streams {
		*d.StoredBytes += stream.bytes
	}
	return d
}

// group finds a group by name or by identifier (a name or an ARN), of which a request gives one.
func (s *Service) group(name, identifier *string) (*group, error) {
	wanted := aws.ToString(name)
	if wanted == "" {
		wanted = strings.TrimPrefix(strings.TrimSuffix(aws.ToString(identifier), ":*"), s.groupARN(""))
	}
	if wanted == "" {
		return nil, invalid("name the log group")
	}
	if g, ok := s.groups[wanted]; ok {
		return g, nil
	}
	return nil, s.missing("group", wanted)
}

// oldest is the time in milliseconds before which a group's events are gone.
func (s *Service) oldest(g *group) int64 {
	if g.retention == 0 {
		return 0
	}
	return s.clock.Now().Add(-time.Duration(g.retention) * day).UnixMilli()
}
