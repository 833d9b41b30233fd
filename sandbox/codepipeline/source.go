package codepipeline

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
)

// Repository is where source actions find commits.
type Repository interface {
	// Head returns the newest commit of the branch.
	Head(ctx context.Context, branch string) (Commit, error)
	// Commit returns the commit that has the identifier.
	Commit(ctx context.Context, id string) (Commit, error)
	// Export writes the files of the commit into an existing folder.
	Export(ctx context.Context, id, folder string) error
	// Clone makes an existing, empty folder a clone of the repository that has the commit checked out.
	Clone(ctx context.Context, id, folder string) error
}

// Commit is what a source action tells of a commit.
type Commit struct {
	ID, Message string
	Date        time.Time
}

// sourceAction reads a repository by a connection (CodeStarSourceConnection).
type sourceAction struct{ service *Service }

func (sourceAction) check(a action) []string {
	found := append(counts{0, 0, 1, 1}.check(a), keys(a, []string{"ConnectionArn", "FullRepositoryId", "BranchName"},
		"OutputArtifactFormat", "DetectChanges")...)
	if f := a.Configuration["OutputArtifactFormat"]; f != "" && f != formatZip && f != formatClone {
		found = append(found, fmt.Sprintf("configuration.OutputArtifactFormat: it is %s or %s, not %s", formatZip, formatClone, f))
	}
	return found
}

// The formats of a source's artifact: the commit's files, or a clone with the history.
const (
	formatZip   = "CODE_ZIP"
	formatClone = "CODEBUILD_CLONE_REF"
)

func (s sourceAction) run(ctx context.Context, r *actionRun) (outcome, error) {
	e, branch := r.execution, r.configuration["BranchName"]
	s.service.mu.Lock()
	known := s.service.connections[r.configuration["ConnectionArn"]]
	wanted := e.wanted[r.action.Name]
	s.service.mu.Unlock()
	if !known {
		return outcome{}, &failure{"ConfigurationError", "there is no connection " + r.configuration["ConnectionArn"]}
	}
	var commit Commit
	var err error
	if wanted == "" {
		commit, err = s.service.config.Repository.Head(ctx, branch)
	} else {
		commit, err = s.service.config.Repository.Commit(ctx, wanted)
	}
	if err != nil {
		return outcome{}, err
	}
	hand := s.service.config.Repository.Export
	if r.configuration["OutputArtifactFormat"] == formatClone {
		hand = s.service.config.Repository.Clone
	}
	if err := hand(ctx, commit.ID, r.outputs[0].folder); err != nil {
		return outcome{}, err
	}
	s.service.mu.Lock()
	defer s.service.mu.Unlock()
	r.external = commit.ID
	e.sources = append(e.sources, types.SourceRevision{ActionName: aws.String(r.action.Name), RevisionId: aws.String(commit.ID),
		RevisionSummary: aws.String(commit.Message)})
	return outcome{summary: commit.Message, variables: map[string]string{
		"CommitId": commit.ID, "CommitMessage": commit.Message, "BranchName": branch,
		"AuthorDate": commit.Date.UTC().Format(time.RFC3339), "ConnectionArn": r.configuration["ConnectionArn"],
		"FullRepositoryName": r.configuration["FullRepositoryId"],
	}}, nil
}
