package ecr

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
)

// lifecycleRule is a rule of a lifecycle policy, as ECR's user guide describes it.
type lifecycleRule struct {
	RulePriority int    `json:"rulePriority"`
	Description  string `json:"description"`
	Selection    struct {
		TagStatus      string   `json:"tagStatus"`
		TagPrefixList  []string `json:"tagPrefixList"`
		TagPatternList []string `json:"tagPatternList"`
		CountType      string   `json:"countType"`
		CountUnit      string   `json:"countUnit"`
		CountNumber    int      `json:"countNumber"`
	} `json:"selection"`
	Action struct {
		Type string `json:"type"`
	} `json:"action"`
}

// readLifecycle reads a policy's text and says all that is wrong with it.
func readLifecycle(text string) ([]lifecycleRule, error) {
	var policy struct {
		Rules []lifecycleRule `json:"rules"`
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&policy); err != nil {
		return nil, fmt.Errorf("the lifecycle policy is not as ECR wants it: %w", err)
	}
	var problems []error
	problem := func(i int, field, is, want string) {
		problems = append(problems, fmt.Errorf("lifecycle policy: rules[%d].%s is %s: %s", i, field, is, want))
	}
	if len(policy.Rules) == 0 {
		problems = append(problems, errors.New("lifecycle policy: rules is empty: give at least one"))
	}
	seen := map[int]bool{}
	for i, rule := range policy.Rules {
		s := rule.Selection
		if rule.RulePriority < 1 || seen[rule.RulePriority] {
			problem(i, "rulePriority", fmt.Sprint(rule.RulePriority), "each rule needs its own, from 1")
		}
		seen[rule.RulePriority] = true
		if s.CountNumber < 1 {
			problem(i, "selection.countNumber", fmt.Sprint(s.CountNumber), "it counts from 1, such as 14")
		}
		switch s.TagStatus {
		case "untagged", "any":
		case "tagged":
			if len(s.TagPrefixList)+len(s.TagPatternList) == 0 {
				problem(i, "selection.tagStatus", "tagged", `name the tags by tagPrefixList or tagPatternList, such as ["pr-*"]`)
			}
		default:
			problem(i, "selection.tagStatus", fmt.Sprintf("%q", s.TagStatus), "use untagged, tagged or any")
		}
		switch {
		case s.CountType == "sinceImagePushed" && s.CountUnit != "days":
			problem(i, "selection.countUnit", fmt.Sprintf("%q", s.CountUnit), "with sinceImagePushed it is days")
		case s.CountType != "sinceImagePushed" && s.CountType != "imageCountMoreThan":
			problem(i, "selection.countType", fmt.Sprintf("%q", s.CountType), "use sinceImagePushed or imageCountMoreThan")
		}
		if rule.Action.Type != "expire" {
			problem(i, "action.type", fmt.Sprintf("%q", rule.Action.Type), "use expire")
		}
	}
	slices.SortFunc(policy.Rules, func(a, b lifecycleRule) int { return cmp.Compare(a.RulePriority, b.RulePriority) })
	return policy.Rules, errors.Join(problems...)
}

// expire removes the images whose time has come. ECR does so within a day; here it is done before anybody looks.
func (s *Service) expire(r *repository) {
	selected := map[*image]bool{} // by a rule of higher priority, which is then the only one that counts
	for _, rule := range r.lifecycle {
		var images []*image
		for _, i := range r.images {
			if !selected[i] && rule.selects(i) {
				images = append(images, i)
				selected[i] = true
			}
		}
		slices.SortFunc(images, func(a, b *image) int { return b.pushed.Compare(a.pushed) })
		for at, i := range images {
			old := s.clock.Since(i.pushed) > time.Duration(rule.Selection.CountNumber)*24*time.Hour
			if rule.Selection.CountType == "imageCountMoreThan" {
				old = at >= rule.Selection.CountNumber
			}
			if old {
				s.remove(r, i)
			}
		}
	}
}

func (l lifecycleRule) selects(i *image) bool {
	switch l.Selection.TagStatus {
	case "any":
		return true
	case "untagged":
		return len(i.tags) == 0
	}
	// Of several prefixes or patterns an image must have a tag for each.
	for _, prefix := range l.Selection.TagPrefixList {
		if !slices.ContainsFunc(i.tags, func(tag string) bool { return strings.HasPrefix(tag, prefix) }) {
			return false
		}
	}
	for _, pattern := range l.Selection.TagPatternList {
		if !slices.ContainsFunc(i.tags, func(tag string) bool { matched, _ := path.Match(pattern, tag); return matched }) {
			return false
		}
	}
	return true
}
