package drill

// firstStep is the share of the traffic that the environment's first step gives to a release.
const firstStep = 10

// All are the drills, in the order in which they are run.
func All() []Drill {
	return []Drill{
		{
			Name:     "exits-at-start",
			Breaks:   "A release whose container exits at its start.",
			Promise:  "Nobody meets it. ECS gives it up, and the pipeline says what the container wrote last.",
			Expected: RolledBack, run: delivers(exitsAtStart),
		},
		{
			Name:     "never-healthy",
			Breaks:   "A release that answers its health check with an error for ever.",
			Promise:  "Nobody meets it. It is cleared away.",
			Expected: RolledBack, run: delivers(neverHealthy),
		},
		{
			Name:     "fails-probes",
			Breaks:   "A release that is healthy and answers everything else with an error.",
			Promise:  "Nobody meets it: the probes do, before any user.",
			Expected: RolledBack, run: delivers(failsProbes),
		},
		{
			Name:     "fails-for-users",
			Breaks:   "A release that answers health checks and probes, and fails every user.",
			Promise:  "The first step's users see errors for two or three minutes, nobody else does.",
			Expected: RolledBack, Reach: firstStep, Lost: 10, run: delivers(failsUsers),
		},
		{
			Name:     "fails-one-percent",
			Breaks:   "A release that fails one user's request in a hundred.",
			Promise:  "Fewer than one request in a hundred fails. The release is never promoted.",
			Expected: RolledBack, Reach: 100, Lost: 1, run: delivers(failsOnePercent),
		},
		{
			Name:     "slow",
			Breaks:   "A release that takes one and a half seconds for every user's request.",
			Promise:  "The first step's users wait, and nobody gets an error.",
			Expected: RolledBack, Reach: firstStep, run: delivers(slow),
		},
		{
			Name:     "leaks",
			Breaks:   "A release that keeps memory with every user's request until its tasks are killed, while it bakes.",
			Promise:  "The requests that a dying task had begun fail, and no more than the release's share.",
			Expected: RolledBack, Reach: 50, Lost: 12, run: delivers(leaks),
		},
		{
			Name:     "dies-in-standby",
			Breaks:   "A release that passes everything, and begins to die after its promotion.",
			Promise:  "An alarm rings while the old version is warm, and the traffic goes back by itself.",
			Expected: RolledBack, Reach: 100, Lost: 40, run: diesInStandby,
		},
		{
			Name:     "function-killed",
			Breaks:   "shiftfn's process is killed four times: after it started tasks, between two calls of a random number, after it moved the first users, and after it answered the pipeline.",
			Promise:  "Nobody notices. The schedule goes on with the shift, which takes some minutes longer.",
			Expected: Promoted, Reach: 100, run: functionKilled,
		},
		{
			Name:     "function-invoked-twice",
			Breaks:   "Every event reaches shiftfn twice at once.",
			Promise:  "Nobody notices: the second run of each event does nothing.",
			Expected: Promoted, Reach: 100, run: functionInvokedTwice,
		},
		{
			Name:     "calls-throttled",
			Breaks:   "AWS turns a third of shiftfn's calls away as too many, and as many of the SDK's new attempts.",
			Promise:  "Nobody notices. What is turned away is asked again.",
			Expected: Promoted, Reach: 100, run: callsThrottled,
		},
		{
			Name:     "calls-failing",
			Breaks:   "AWS fails every one of shiftfn's calls for two minutes in the middle of the shift.",
			Promise:  "Nobody notices. The shift waits and goes on.",
			Expected: Promoted, Reach: 100, run: callsFailing,
		},
		{
			Name:     "weights-by-hand",
			Breaks:   "A person changes the weights in the middle of the shift.",
			Promise:  "The weights stay as the person set them. The pipeline's action fails and says where the traffic is.",
			Expected: Halted, Reach: 70, run: weightsByHand,
		},
		{
			Name:     "infrastructure-update",
			Breaks:   "`pulumi up` applies changed sizes and retentions in the middle of the shift.",
			Promise:  "Nobody notices: no traffic moves by it, and no running task changes.",
			Expected: Promoted, Reach: 100, run: infrastructureUpdate,
		},
		{
			Name:     "second-commit",
			Breaks:   "A second commit is pushed while the first is being shifted.",
			Promise:  "Nobody notices. The second waits for the first, and is live at the end.",
			Expected: Promoted, Reach: 100, run: secondCommit,
		},
		{
			Name:     "stable-loses-targets",
			Breaks:   "The stable side loses a task in the middle of the shift.",
			Promise:  "The requests that the task had begun fail. ECS replaces it, and the shift goes on.",
			Expected: Promoted, Reach: 100, Lost: 5, run: stableLosesTargets,
		},
		{
			Name:     "both-sides-unhealthy",
			Breaks:   "In the middle of the shift all tasks of both sides die, and the registry is gone, so that none comes back.",
			Promise:  "Users get errors, and nothing could change that: the shift halts, changes nothing, and says so. When the registry is back, so is the shop.",
			Expected: Halted, Reach: 50, Lost: 100, run: bothSidesUnhealthy,
		},
		{
			Name:     "registry-gone",
			Breaks:   "The registry is gone when the release is to be deployed.",
			Promise:  "Nobody notices. The release does not start, and is cleared away.",
			Expected: RolledBack, run: registryGone,
		},
		{
			Name:     "task-killed",
			Breaks:   "A task of the live side is killed, with no delivery under way.",
			Promise:  "The requests that it had begun fail. ECS replaces it.",
			Expected: Healed, Lost: 5, run: taskKilled,
		},
		{
			Name:     "slow-clients",
			Breaks:   "Clients keep their connections through the whole delivery, and each of their requests takes seconds.",
			Promise:  "Each of their requests is answered, and the connections stay.",
			Expected: Promoted, Reach: 100, run: slowClients,
		},
		{
			Name:     "websockets",
			Breaks:   "Pages listen over WebSockets through the whole delivery, on the side that loses its traffic too.",
			Promise:  "Each conversation ends with the code 1001, never cut, and the next one is with the new release.",
			Expected: Promoted, Reach: 100, run: webSockets,
		},
	}
}
