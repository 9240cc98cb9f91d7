/** Many nodes, many sessions: shapes fitted to traces, placement, density; over worker threads. */
export { type ArmName, armNames, armTexts, withHigh } from './arms.ts';
export { type Basis, basisOf } from './basis.ts';
export { drawSession } from './draw.ts';
export { fitTraces, type Recorded } from './fit.ts';
export { fleetFigures, jsonOf, summary, writeFleetReport } from './page.ts';
export { type PlacementName, placementNames } from './placement.ts';
export { exampleShapes, parseShapes, type Shapes } from './shapes.ts';
export { type FleetOptions, type FleetStudy, fleetStudy, usualArms, usualDensities, usualFleet } from './study.ts';
