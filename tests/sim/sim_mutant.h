/*
 * sim_mutant: where the simulation can be made wrong on purpose.
 *
 * Not in the library or the program: without SIM_MUTANTS every MUTANT(…) is false and no switch
 * exists. Only the test that shows that replays notice such faults builds it in.
 *
 * Nothing is owned here.
 *
 * Inside the simulated cluster only.
 */
#ifndef RAMET_SIM_MUTANT_H
#define RAMET_SIM_MUTANT_H

enum sim_mutant {
	SIM_MUTANT_NONE,
#define MUTANT(code, doc) SIM_MUTANT_##code,
#include "sim_mutant.def"
#undef MUTANT
	SIM_MUTANT__MAX
};

#ifdef SIM_MUTANTS
extern enum sim_mutant sim_mutant; /* the one that is on */
#define MUTANT(code) (sim_mutant == SIM_MUTANT_##code)
#else
#define MUTANT(code) false
#endif

#endif
