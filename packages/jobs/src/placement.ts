import { z } from "zod";
import { labels } from "./fields.ts";

/** Which hosts a new pod may be placed on: those that have all the labels. One that is placed stays where it is. */
export const placement = z.strictObject({ labels });
