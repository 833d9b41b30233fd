"""Makes the calls of the function's prepare job with boto3, as a Lambda of Python would: the yardstick of its cold start."""
import json
import os
import urllib.request

import boto3

runtime = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
settings = json.loads(os.environ["SHIFTFN_SETTINGS"])
balancer, services, scaling, schedules, pipeline = map(
    boto3.client, ("elbv2", "ecs", "application-autoscaling", "scheduler", "codepipeline"))


def lease(call):
    call(
        GroupName=settings["scheduleGroup"], Name="rollout", ScheduleExpression="at(2030-01-01T00:00:00)",
        ScheduleExpressionTimezone="UTC", FlexibleTimeWindow={"Mode": "OFF"}, ActionAfterCompletion="NONE", State="DISABLED",
        Target={"Arn": settings["function"], "RoleArn": settings["scheduleRole"], "Input": "{}"})


def prepare(job):
    sides = settings["blue"], settings["green"]
    try:
        schedules.get_schedule(GroupName=settings["scheduleGroup"], Name="rollout")
    except schedules.exceptions.ResourceNotFoundException:
        pass
    balancer.describe_listeners(ListenerArns=[settings["listener"]])
    balancer.describe_rules(RuleArns=[settings["previewRule"]])
    for side in sides:
        balancer.describe_target_health(TargetGroupArn=side["targetGroup"])
    services.describe_services(cluster=settings["cluster"], services=[side["service"] for side in sides])
    scaling.describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=[
        "service/%s/%s" % (settings["cluster"], side["service"]) for side in sides])
    try:
        lease(schedules.update_schedule)
    except schedules.exceptions.ResourceNotFoundException:
        lease(schedules.create_schedule)
    pipeline.put_job_success_result(jobId=job["id"], outputVariables={"ServiceName": sides[1]["service"]})


while True:
    with urllib.request.urlopen(runtime + "next") as answer:
        request, event = answer.headers["Lambda-Runtime-Aws-Request-Id"], json.load(answer)
    prepare(event["CodePipeline.job"])
    urllib.request.urlopen(runtime + request + "/response", b"null").close()
