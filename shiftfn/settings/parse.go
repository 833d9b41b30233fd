package settings

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// Parse reads the value of Variable and checks it whole; the error names every problem.
func Parse(text string) (Settings, error) {
	if text == "" {
		return Settings{}, fmt.Errorf("the variable %s is not set; TrafficShift writes it", Variable)
	}
	var s Settings
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&s); err != nil {
		return Settings{}, fmt.Errorf("%s: %w", Variable, err)
	}
	if decoder.More() {
		return Settings{}, fmt.Errorf("%s goes on after its end", Variable)
	}
	var problems []error
	for _, named := range []struct{ path, value string }{
		{"environment", s.Environment}, {"cluster", s.Cluster}, {"container", s.Container}, {"loadBalancer", s.LoadBalancer},
		{"listener", s.Listener}, {"previewRule", s.PreviewRule}, {"previewHeader", s.PreviewHeader},
		{"previewParameter", s.PreviewParameter}, {"logGroup", s.LogGroup}, {"function", s.Function},
		{"scheduleGroup", s.ScheduleGroup}, {"scheduleRole", s.ScheduleRole},
		{"blue.service", s.Blue.Service}, {"blue.targetGroup", s.Blue.TargetGroup}, {"blue.taskDefinition", s.Blue.TaskDefinition},
		{"green.service", s.Green.Service}, {"green.targetGroup", s.Green.TargetGroup}, {"green.taskDefinition", s.Green.TaskDefinition},
	} {
		if named.value == "" {
			problems = append(problems, fmt.Errorf("%s: %s is missing", Variable, named.path))
		}
	}
	if at, err := url.Parse(s.URL); err != nil || at.Scheme != "http" && at.Scheme != "https" || at.Host == "" {
		problems = append(problems, fmt.Errorf("%s: url is %q, not like https://shop.example.com", Variable, s.URL))
	}
	if s.MinimumTasks < 1 {
		problems = append(problems, fmt.Errorf("%s: minimumTasks is %d; the live side has at least 1", Variable, s.MinimumTasks))
	}
	_, policy := s.Policy.Plan()
	_, wrong := s.Nights()
	policy = append(policy, wrong...)
	for _, p := range policy {
		problems = append(problems, fmt.Errorf("%s: %s", Variable, p))
	}
	return s, errors.Join(problems...)
}
