import { showList } from "./list.js";
import { jobTable } from "./parts.js";

const states = ["queued", "running", "succeeded", "failed", "cancelled", "lost"];

/** The jobs that the one who asks may see, newest first. @param {import("./api.js").Me} me */
export async function showJobs(me) {
  await showList(me, {
    what: "Jobs",
    one: "job",
    page: "/ui/jobs",
    from: "/v1/jobs",
    choice: { name: "state", label: "State", values: states },
    further: "Older jobs",
    none: "They are kept for a while after their end, then removed.",
    body: (items, none) => jobTable(items, true, none),
  });
}
