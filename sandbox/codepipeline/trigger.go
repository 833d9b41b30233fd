package codepipeline

import (
	"fmt"
	"slices"

	"github.com/bmatcuk/doublestar/v4"
)

// trigger is what a V2 pipeline declares about the pushes that start it.
type trigger struct {
	ProviderType     string           `json:"providerType"`
	GitConfiguration gitConfiguration `json:"gitConfiguration"`
}

// gitConfiguration knows pushes. Pull requests, which this machine never sees, are refused.
type gitConfiguration struct {
	SourceActionName string       `json:"sourceActionName"`
	Pushes           []pushFilter `json:"pushes"`
}

type pushFilter struct {
	Branches  *patterns `json:"branches"`
	FilePaths *patterns `json:"filePaths"`
	Tags      *patterns `json:"tags"`
}

// patterns are globs as AWS documents them: * stays within a path segment, ** crosses them; an exclude outranks an include.
type patterns struct {
	Includes []string `json:"includes"`
	Excludes []string `json:"excludes"`
}

// Push is one push to a branch of the repository that a source action reads.
type Push struct {
	Branch string
	Commit string
	// Paths are the files that the push changed, relative to the repository's root, with slashes.
	Paths []string
}

// starts says whether the push starts the pipeline, and by which source action.
func (d declaration) starts(push Push) (sourceAction string, yes bool) {
	if len(d.Triggers) == 0 {
		for _, a := range d.Stages[0].Actions {
			if a.Configuration["BranchName"] == push.Branch && a.Configuration["DetectChanges"] != "false" {
				return a.Name, true
			}
		}
		return "", false
	}
	for _, t := range d.Triggers {
		git := t.GitConfiguration
		if slices.ContainsFunc(git.Pushes, func(f pushFilter) bool { return f.accepts(push) }) {
			return git.SourceActionName, true
		}
	}
	return "", false
}

// accepts is true when every kind of filter that is given is: a filter is an AND, several filters are an OR.
func (f pushFilter) accepts(push Push) bool {
	if f.Tags != nil && f.Branches == nil && f.FilePaths == nil {
		return false // it waits for tags, and this is a branch
	}
	return f.Branches.accept(push.Branch) && (f.FilePaths == nil || slices.ContainsFunc(push.Paths, f.FilePaths.accept))
}

func (p *patterns) accept(name string) bool {
	if p == nil {
		return true
	}
	matches := func(glob string) bool { return doublestar.MatchUnvalidated(glob, name) }
	if slices.ContainsFunc(p.Excludes, matches) {
		return false
	}
	return len(p.Includes) == 0 || slices.ContainsFunc(p.Includes, matches)
}

func (s *Service) checkTriggers(p *problems, d declaration) {
	if len(d.Triggers) > 0 && d.PipelineType != "V2" {
		p.add("triggers", "they need pipelineType V2")
	}
	for i, t := range d.Triggers {
		path := fmt.Sprintf("triggers[%d]", i)
		if t.ProviderType != "CodeStarSourceConnection" {
			p.add(path+".providerType", "%q is not CodeStarSourceConnection", t.ProviderType)
		}
		git := t.GitConfiguration
		if len(d.Stages) > 0 && !slices.ContainsFunc(d.Stages[0].Actions, func(a action) bool { return a.Name == git.SourceActionName }) {
			p.add(path+".gitConfiguration.sourceActionName", "the first stage has no action %q", git.SourceActionName)
		}
		for j, f := range git.Pushes {
			for kind, filter := range map[string]*patterns{"branches": f.Branches, "filePaths": f.FilePaths, "tags": f.Tags} {
				if filter == nil {
					continue
				}
				for _, glob := range slices.Concat(filter.Includes, filter.Excludes) {
					if !doublestar.ValidatePattern(glob) {
						p.add(fmt.Sprintf("%s.gitConfiguration.pushes[%d].%s", path, j, kind), "%q is not a glob, such as app/**", glob)
					}
				}
			}
		}
	}
}
