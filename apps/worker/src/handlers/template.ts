import { onTemplate, type Params } from "@podq/jobs";
import type { Store } from "@podq/store";
import type { Handler } from "../execute.ts";
import { ended } from "../outcome.ts";

/**
 * Hands on creates as their pods are to be made: with what a create's template says where it says nothing itself. Its record keeps what it
 * was asked, so that it is known again under its key and can be enqueued once more.
 */
export function onTemplates({ templates }: Pick<Store, "templates">, create: Handler): Handler {
  return async (attempt) => {
    const { job } = attempt;
    if ((job.params as Params<"create">).template === undefined) return create(attempt);
    const body = job.template === undefined ? null : await templates.bodyOf(job.template);
    if (body !== null) return create({ ...attempt, job: { ...job, ...onTemplate(body, job.params, job.labels) } });
    return ended("failed", { code: "not-found", message: "the template that it was accepted with is not there any more" });
  };
}
