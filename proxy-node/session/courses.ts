/** Which course a client's commands take, by the mode of the node. */
import type { Course, CourseHost } from './course.ts'
import { MysqlCourse } from './mysql-course.ts'
import { type CourseParts, OceanbaseCourse } from './oceanbase-course.ts'

export function courseFor(host: CourseHost, parts: CourseParts): Course {
  const { mode } = parts.deps
  return mode.kind === 'mysql' ? new MysqlCourse(host, parts) : new OceanbaseCourse(host, parts)
}
