/** Thrown inside the decoding of metadata only: the reason why no partition can be computed. */
export class Unprunable extends Error {}
